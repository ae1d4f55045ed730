// One file to be read: what is kept of it, its line in the list, and how it is sent. Its
// Idempotency-Key makes it safe to send again whatever became of the last try.

const BUSY = new Set([429, 503]);
const MAX_TRIES = 8;
const MAX_PAUSE_S = 16;
export const NIL = "00000000-0000-0000-0000-000000000000"; // in addresses, in the place of an id
const STATUSES = ["unreadable", "needs_review", "read"]; // the worst first

const percent = new Intl.NumberFormat(document.documentElement.lang, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** Format a probability; never as 0% or 100%. */
export function formatConfidence(probability) {
  if (probability > 0.999) return `>\u00a0${percent.format(0.999)}`;
  if (probability < 0.001) return `<\u00a0${percent.format(0.001)}`;
  return percent.format(probability);
}

/** Return a text that nobody else has. */
export function randomText() {
  // crypto.randomUUID needs a secure connection.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One file: what is kept of it (`facts`), and its line in the list. */
export class Task {
  file = null;
  pausing = null; // until it is sent again: because the site is "busy" or "away"
  #aborter = new AbortController();
  #goOn = () => {};

  constructor(facts, tray) {
    this.facts = facts;
    this.tray = tray;
    this.line = tray.root.querySelector("[data-task-template]").content.firstElementChild.cloneNode(true);
    this.progress = this.part("progress");
    this.image = this.line.querySelector("img");
    this.part("name").textContent = facts.name;
    this.part("name").title = facts.name;
    this.progress.setAttribute("aria-label", facts.name);
    for (const button of this.line.querySelectorAll("button")) {
      button.setAttribute("aria-label", this.#say("about", { action: button.title }));
    }
    this.part("kind").textContent = facts.name.match(/\.(\w{1,4})$/)?.[1].toUpperCase() ?? "";
    // Instead of what the browser cannot show, its kind stays.
    this.image.addEventListener("load", () => {
      this.image.hidden = false;
      this.show();
    });
    this.part("turn").addEventListener("click", () => this.#turn());
    this.part("retry").addEventListener("click", () => tray.retry([this]));
    this.part("remove").addEventListener("click", () => tray.remove([this]));
    this.show();
  }

  part(name) {
    return this.line.querySelector(`[data-${name}]`);
  }

  get state() {
    return this.facts.state;
  }

  /** Whether it is to be sent; never again by a page that was left. */
  get ready() {
    return this.state === "waiting" && this.file !== null && !this.#aborter.signal.aborted;
  }

  get retryable() {
    return this.pausing !== null || (this.state === "failed" && this.facts.retryable && this.file !== null);
  }

  update(facts) {
    Object.assign(this.facts, facts);
    this.show();
    this.tray.changed();
  }

  hold(file) {
    this.file = file;
    this.image.src = URL.createObjectURL(file);
  }

  #turn() {
    // Another picture, so another key: the first may have arrived.
    this.update({ quarters: (this.facts.quarters + 1) % 4, key: randomText() });
  }

  /** Try again, at once if it is waiting to. */
  retry() {
    if (this.pausing) this.#goOn();
    else this.update({ state: "waiting" });
  }

  abort() {
    this.#aborter.abort();
    this.#goOn();
  }

  show() {
    const { state, text, url, status, confidence, problem, preview, quarters } = this.facts;
    this.line.dataset.state = this.pausing ?? state; // CSS shows what belongs to it
    this.line.dataset.quarters = state === "done" && !this.file ? 0 : quarters;
    if (state === "done") {
      const link = this.part("text");
      link.href = url;
      if (text) link.textContent = text;
      this.part("status").className = `status ${status}`;
      this.part("status").textContent = this.tray.messages[`status_${status}`];
      this.part("confidence").textContent = confidence === null ? "" : formatConfidence(confidence);
      if (preview && !this.image.getAttribute("src")) this.image.src = preview;
    }
    if (state === "failed" || state === "lost") {
      this.part("problem").textContent = state === "lost" ? this.tray.messages.lost : problem;
    }
    this.part("retry").hidden = !this.retryable;
    const shown = this.file && this.image.complete && this.image.naturalWidth > 0;
    this.part("turn").hidden = !(shown && (this.pausing || ["held", "waiting", "failed"].includes(state)));
  }

  /** Send it, again while the site is busy or away. */
  async work(url) {
    const { signal } = this.#aborter;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      this.update({ state: "sending" });
      const request = await this.#post(url, signal);
      if (signal.aborted) return;
      const after = Number(request.getResponseHeader("Retry-After"));
      const again = request.status === 0 || BUSY.has(request.status) || (request.status === 409 && after);
      if (!again || attempt === MAX_TRIES) {
        this.#take(request);
        return;
      }
      await this.#pause(request.status === 0 ? "away" : "busy", after || Math.min(MAX_PAUSE_S, 2 ** (attempt - 1)));
    }
  }

  /** Send it once; resolves with the finished request, which has the status 0 if it got no answer. */
  async #post(url, signal) {
    const { key, quarters, source, batch, position } = this.facts;
    this.#showProgress(0);
    const form = new FormData();
    // Turning is not needed before somebody turns.
    form.set("file", quarters ? await (await import("./turn.js")).turned(this.file, quarters) : this.file);
    form.set("source", source);
    if (batch) {
      form.set("batch", batch);
      form.set("position", position);
    }
    return new Promise((resolve) => {
      const request = new XMLHttpRequest(); // fetch reports no upload progress
      request.open("POST", url);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("Idempotency-Key", key);
      const token = document.querySelector("[name=csrfmiddlewaretoken]"); // there for who is signed in
      if (token) request.setRequestHeader("X-CSRFToken", token.value);
      request.responseType = "json";
      request.upload.onprogress = ({ loaded, total }) => this.#showProgress(loaded / total);
      request.onloadend = () => resolve(request);
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(form);
    });
  }

  #showProgress(share) {
    this.line.dataset.state = share < 1 ? "sending" : "reading";
    this.progress.value = share;
    if (share === 1) this.progress.removeAttribute("value"); // indeterminate while reading
  }

  async #pause(why, seconds) {
    this.pausing = why;
    await new Promise((resolve) => {
      this.#goOn = resolve;
      setTimeout(resolve, seconds * 1000);
      this.update({});
    });
    this.pausing = null;
  }

  #take({ status, response }) {
    const { messages } = this.tray;
    const results = response?.results ?? (response?.id ? [response] : []);
    if (results.length > 0) this.#succeed(results, response.upload ?? null);
    else if (status === 0) this.fail(messages.unreachable, true);
    else this.fail(response?.error?.message ?? messages.failed, status >= 500 || status === 429 || status === 409);
  }

  #succeed(results, uploadId) {
    const [first] = results;
    const { messages } = this.tray;
    const confidences = results.map(({ confidence }) => confidence).filter((c) => c !== null);
    const pages = messages.pages.replace("{number}", results.length);
    const many = results.length > 1;
    this.update({
      state: "done",
      text: many ? pages : (first.marked_text || first.text).replaceAll("\n", " · "),
      url: (uploadId && many ? messages.table : messages.detail).replace(NIL, uploadId ?? first.id),
      query: uploadId ? `upload=${uploadId}` : `prediction=${first.id}`,
      status: STATUSES.find((status) => results.some((result) => result.status === status)),
      confidence: confidences.length > 0 ? Math.min(...confidences) : null,
      preview: first.preview_url,
      table: first.batch,
    });
    if (!this.facts.alone) return;
    this.tray.say(this.#say("read", { text: this.part("text").textContent }));
    // The page it was chosen on shows the answer itself.
    const detail = { facts: this.facts, remove: () => this.tray.remove([this]) };
    document.dispatchEvent(new CustomEvent("read", { detail }));
  }

  fail(problem, retryable) {
    this.update({ state: "failed", problem, retryable });
    this.tray.say(this.#say("notRead", { text: problem }));
  }

  #say(message, { action = "", text = "" }) {
    const { name } = this.facts;
    const words = { action, name, text };
    return this.tray.messages[message].replace(/\{(\w+)\}/g, (_, word) => words[word]);
  }
}
