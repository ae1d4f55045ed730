// Correcting digit by digit: the chosen digit becomes the one that is typed or pressed. Each change
// is saved at once, by the page's own form, and the page that comes back replaces the parts of this
// one. In the review a change goes into the form only, which Confirm sends.

/** Let whoever may correct do so in `answer`. */
export function connectCorrecting(answer, picture, panel) {
  if (panel.root && answer.querySelector("[data-correct]")) new Correcting(answer, picture, panel);
}

class Correcting {
  #adding = false;
  #saving = Promise.resolve();
  #unsaved = 0;

  constructor(answer, picture, panel) {
    Object.assign(this, { answer, picture, panel });
    this.tools = answer.querySelector("[data-edit-tools]");
    this.isDraft = answer.dataset.answer === "draft";
    this.original = picture.printed.cloneNode(true); // what a draft goes back to
    this.tools.hidden = false;
    this.state = this.tools.querySelector("[data-save-state]");
    for (const button of this.tools.querySelectorAll("[data-edit]")) {
      button.addEventListener("click", () => this.#edit(button.dataset.edit));
    }
    this.undoButton = this.tools.querySelector("[data-edit=undo]");
    panel.bars.forEach((bar, digit) => this.#makeButton(bar, String(digit)));
    picture.stage?.addEventListener("keydown", (event) => this.#key(event));
    picture.addEventListener("choose", () => this.#setAdding(false));
    answer.addEventListener("submit", (event) => this.#submit(event));
    this.#update();
  }

  get form() {
    return this.answer.querySelector("[data-correct]");
  }

  #makeButton(bar, digit) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...bar.childNodes);
    button.ariaLabel = bar.parentElement.dataset.correctTo.replace("{digit}", digit);
    button.addEventListener("click", () => this.#write(digit));
    bar.append(button);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "z") return;
      this.#edit("undo");
    } else if (event.altKey) return;
    else if (/^[0-9]$/.test(event.key)) this.#write(event.key);
    else if (event.key === "Delete" || event.key === "Backspace") this.#edit("remove");
    else if (event.key === "Insert" || event.key === "a") this.#edit("add");
    else if (event.key === "u" && !this.undoButton.disabled) this.#edit("undo");
    else if (event.key === "Escape" && this.#adding) this.#setAdding(false);
    else return;
    event.preventDefault();
  }

  #edit(action) {
    if (action === "undo") this.#undo();
    else if (action === "add") this.#setAdding(!this.#adding);
    else this.#replace("");
  }

  #setAdding(adding) {
    this.#adding = adding;
    this.answer.classList.toggle("adding", adding);
    this.tools.querySelector("[data-edit=add]").setAttribute("aria-pressed", adding);
    this.state.textContent = adding ? this.tools.dataset.addPrompt : "";
  }

  #write(digit) {
    if (this.#adding) this.#add(digit);
    else this.#replace(digit);
  }

  /** Make the chosen digit another one; empty if it is none. */
  #replace(digit) {
    const sign = this.picture.digits[this.picture.chosen];
    const box = this.picture.boxes.get(sign.dataset.number);
    const read = this.panel.rows[sign.dataset.position]?.cells[0].textContent;
    sign.textContent = digit;
    for (const element of [sign, box].filter(Boolean)) {
      element.classList.remove("doubtful", "changed", "gone");
      if (digit === "") element.classList.add("gone");
      else if (read !== undefined && digit !== read) element.classList.add("changed");
    }
    this.#changed(this.picture.chosen + (digit !== "" ? 1 : 0));
  }

  /** Add a digit after the chosen one. */
  #add(digit) {
    const before = this.picture.digits[this.picture.chosen];
    const added = before.cloneNode();
    const width = Number(before.parentElement.getAttribute("font-size"));
    added.setAttribute("x", Number(before.getAttribute("x")) + width);
    added.setAttribute("class", "added");
    delete added.dataset.position;
    delete before.dataset.gap;
    added.textContent = digit;
    before.after(added);
    this.picture.digits.splice(this.picture.chosen + 1, 0, added);
    this.#changed(this.picture.chosen + 1);
  }

  #text() {
    const lines = [...(this.picture.printed?.querySelectorAll("text") ?? [])].map((line) =>
      [...line.querySelectorAll("tspan[data-number]")]
        .map((sign) => sign.textContent.trim() + ("gap" in sign.dataset ? " " : ""))
        .join("")
        .trim(),
    );
    return lines.filter(Boolean).join("\n");
  }

  #changed(next) {
    const text = this.#text();
    const { form } = this;
    form.querySelector("textarea").value = text;
    if (this.isDraft) this.#afterDraft(next);
    else this.#save(form.action, { text, verdict: text ? "text" : "not_a_digit" }, next);
  }

  #afterDraft(next) {
    this.undoButton.disabled = false;
    this.picture.choose(this.picture.next?.() ?? next, { scroll: true });
  }

  /** Undo the last saved correction, or all of a draft. */
  #undo() {
    if (this.isDraft) {
      const { chosen, focused } = this.picture;
      this.picture.printed.replaceWith(this.original.cloneNode(true));
      this.picture.connect();
      this.form.querySelector("textarea").value = this.#text();
      this.undoButton.disabled = true;
      this.picture.choose(chosen);
      if (focused) this.picture.focus();
      return;
    }
    const form = this.answer.querySelector("[data-undo]");
    if (form) this.#save(form.action, {}, this.picture.chosen);
  }

  /** Buttons of the forms save in the same way. */
  #submit(event) {
    if (this.isDraft) return;
    event.preventDefault();
    const verdict = event.submitter?.value;
    const isUndo = event.target.matches("[data-undo]");
    const text = event.target.elements.text?.value;
    this.#save(event.target.action, isUndo ? {} : { text, verdict }, this.picture.chosen);
  }

  /** Save one change after the other; `next` is the digit to choose then. */
  #save(action, fields, next) {
    this.#unsaved += 1;
    this.picture.choose(next, { scroll: true });
    this.state.textContent = this.tools.dataset.saving;
    this.#saving = this.#saving.then(async () => {
      const { page, isSaved } = await this.#send(action, fields);
      this.#unsaved -= 1;
      // While more is being typed, the page shows that already.
      if (page && this.#unsaved === 0) this.#show(page);
      const { saved, refused, unreachable } = this.tools.dataset;
      this.state.textContent = isSaved ? saved : page ? refused : unreachable;
    });
  }

  async #send(action, fields) {
    const body = new URLSearchParams({ ...fields, csrfmiddlewaretoken: this.form.elements.csrfmiddlewaretoken.value });
    try {
      const response = await fetch(action, { method: "POST", body, headers: { Accept: "text/html" } });
      if (response.status >= 500 || response.status === 429) return {};
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      return { page, isSaved: response.ok };
    } catch {
      return {};
    }
  }

  /** Take over the parts of the page that came back. */
  #show(page) {
    const { chosen } = this.picture;
    const hadFocus = this.picture.focused;
    const scope = this.answer.closest("main");
    for (const part of scope.querySelectorAll("[data-part]")) {
      const fresh = part.id && page.getElementById(part.id);
      if (!fresh) continue;
      const copy = document.importNode(fresh, true);
      if ("open" in part) copy.open = part.open;
      // Its own page is titled by a prediction; any other has a heading already.
      const heading = copy.querySelector("h1");
      if (heading && !scope.querySelector("#title")) heading.replaceWith(...heading.childNodes);
      part.replaceWith(copy);
    }
    if (scope.querySelectorAll("[data-answer]").length === 1) document.title = page.title;
    this.picture.connect();
    this.picture.choose(chosen);
    if (hadFocus) this.picture.focus();
    this.#update();
  }

  #update() {
    this.undoButton.disabled = !this.answer.querySelector("[data-undo]");
  }
}
