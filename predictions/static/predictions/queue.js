// The queue of pictures on their way: each is sent as the form would send it, two at a time, and
// what the site answers with, a page, is taken apart. So the server knows one way of sending only.

const AT_ONCE = 2;
const TRIES_WHEN_BUSY = 4;
const BUSY = new Set([429, 503]);

/** Send one file as the form does; resolves with the page that came back, whatever it says. */
function submit(form, field, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch cannot tell how much of a body has been sent
    const body = new FormData(form);
    body.set(field, file, file.name);
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.responseType = "document";
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.upload.onload = () => onProgress(1);
    request.onload = () => resolve(request);
    request.onerror = () => reject(new Error("unreachable"));
    request.send(body);
  });
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** One picture of the queue, and its line in the list. */
class Entry {
  constructor(file, template) {
    this.file = file;
    this.line = template.content.firstElementChild.cloneNode(true);
    this.progress = this.line.querySelector("progress");
    this.retry = this.line.querySelector("[data-retry]");
    this.link = this.line.querySelector("[data-show]");
    this.#part("name").textContent = file.name;
    this.progress.setAttribute("aria-label", file.name);
    this.#preview();
    this.state = "waiting";
  }

  get state() {
    return this.line.dataset.state;
  }

  set state(state) {
    this.line.dataset.state = state; // the style sheet shows what belongs to it
  }

  sent(share) {
    this.state = share < 1 ? "sending" : "reading";
    this.progress.value = share;
    if (share === 1) this.progress.removeAttribute("value"); // reading takes as long as it takes
  }

  done(answers, url) {
    Object.assign(this, { answers, url });
    this.link.href = url;
    const texts = answers.map((answer) => answer.querySelector("output").textContent.trim());
    this.#part("text").textContent = this.text = texts.join(" · ");
    this.state = "done";
  }

  /** `passing`: whether trying again may help. */
  failed(words, { passing }) {
    this.#part("problem").textContent = this.text = words;
    this.retry.hidden = !passing;
    this.state = "failed";
  }

  #part(name) {
    return this.line.querySelector(`[data-${name}]`);
  }

  #preview() {
    const image = new Image();
    image.alt = "";
    // A format that the browser cannot show stays away; the site may read it all the same.
    image.onload = () => {
      this.line.prepend(image);
      URL.revokeObjectURL(image.src);
    };
    image.src = URL.createObjectURL(this.file);
  }
}

/** Keeps what was added in order, sends it, and tells `onAnswer` of each entry that was read. */
export class Queue {
  #waiting = [];
  #working = 0;

  constructor({ list, template, form, field, words, onAnswer, onProblem }) {
    Object.assign(this, { list, template, form, field, words, onAnswer, onProblem });
  }

  add(files) {
    for (const file of files) {
      const entry = new Entry(file, this.template);
      entry.retry.addEventListener("click", () => this.#again(entry));
      entry.link.addEventListener("click", (event) => {
        event.preventDefault();
        this.onAnswer(entry, { asked: true });
      });
      this.list.append(entry.line);
      if (file.size > this.words.maxBytes) entry.failed(this.words.tooLarge, { passing: false });
      else this.#waiting.push(entry);
      if (entry.state === "failed") this.onProblem(entry);
    }
    this.list.hidden = this.list.children.length === 0;
    while (this.#working < AT_ONCE && this.#waiting.length > 0) this.#work();
  }

  #again(entry) {
    this.#waiting.push(entry);
    entry.state = "waiting";
    if (this.#working < AT_ONCE) this.#work();
  }

  async #work() {
    this.#working += 1;
    while (this.#waiting.length > 0) await this.#send(this.#waiting.shift());
    this.#working -= 1;
  }

  async #send(entry) {
    try {
      entry.sent(0);
      this.#take(entry, await this.#answerOf(entry));
    } catch {
      entry.failed(this.words.unreachable, { passing: true });
    }
    if (entry.state === "done") this.onAnswer(entry, { asked: false });
    else if (entry.state === "failed") this.onProblem(entry);
  }

  /** Send until the site is not too busy to answer. */
  async #answerOf(entry) {
    for (let attempt = 1; ; attempt += 1) {
      const request = await submit(this.form, this.field, entry.file, (share) => entry.sent(share));
      if (!BUSY.has(request.status) || attempt === TRIES_WHEN_BUSY) return request;
      entry.state = "busy";
      await pause(Number(request.getResponseHeader("Retry-After")) || 1);
    }
  }

  #take(entry, { status, response, responseURL }) {
    const problem = response?.querySelector("[role=alert]:not([hidden])");
    const answers = [...(response?.querySelectorAll(".answer") ?? [])];
    if (answers.length > 0) entry.done(answers, responseURL);
    else if (status < 400) location.assign(responseURL); // to sign in, or to a page of its own
    else {
      const passing = status >= 500 || BUSY.has(status);
      entry.failed(problem?.textContent.trim() || this.words.failed, { passing });
    }
  }
}
