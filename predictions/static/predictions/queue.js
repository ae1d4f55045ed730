// The upload queue: sends single files as the form does, two at a time, and extracts the predictions
// from the page that comes back. Several at once are the tray's (uploads.js).

const MAX_CONCURRENT = 2;
const MAX_ATTEMPTS = 4;
const BUSY_STATUSES = new Set([429, 503]);

/** Send one file as the form does; resolves with the response, errors included. */
function submit(form, field, file, key, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch reports no upload progress
    const body = new FormData(form);
    body.set(field, file, file.name);
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.setRequestHeader("Idempotency-Key", key); // tried again, it is kept once
    request.responseType = "document";
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.upload.onload = () => onProgress(1);
    request.onload = () => resolve(request);
    request.onerror = () => reject(new Error("unreachable"));
    request.send(body);
  });
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** One file of the queue and its line in the list. */
class Entry {
  constructor(file, template) {
    this.file = file;
    this.key = Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");
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
    this.line.dataset.state = state; // CSS shows what belongs to it
  }

  updateProgress(share) {
    this.state = share < 1 ? "sending" : "reading";
    this.progress.value = share;
    if (share === 1) this.progress.removeAttribute("value"); // indeterminate while reading
  }

  succeed(predictions, url) {
    Object.assign(this, { predictions, url });
    this.link.href = url;
    const texts = predictions.map(({ dataset }) => dataset.title);
    this.#part("text").textContent = this.text = texts.join(" | ");
    this.state = "done";
  }

  fail(message, { retryable }) {
    this.#part("problem").textContent = this.text = message;
    this.retry.hidden = !retryable;
    this.state = "failed";
  }

  #part(name) {
    return this.line.querySelector(`[data-${name}]`);
  }

  #preview() {
    const image = new Image();
    image.alt = "";
    // No preview of formats the browser cannot show; the site may still read them.
    image.onload = () => {
      this.line.prepend(image);
      URL.revokeObjectURL(image.src);
    };
    image.src = URL.createObjectURL(this.file);
  }
}

/** Uploads files in order and calls `onSuccess` or `onError` for each. */
export class Queue {
  #waiting = [];
  #active = 0;

  constructor({ list, template, form, field, messages, onSuccess, onError }) {
    Object.assign(this, { list, template, form, field, messages, onSuccess, onError });
  }

  add(files) {
    for (const file of files) {
      const entry = new Entry(file, this.template);
      entry.retry.addEventListener("click", () => this.#retry(entry));
      entry.link.addEventListener("click", (event) => {
        event.preventDefault();
        this.onSuccess(entry, { requested: true });
      });
      this.list.append(entry.line);
      if (file.size > this.messages.maxBytes) entry.fail(this.messages.tooLarge, { retryable: false });
      else this.#waiting.push(entry);
      if (entry.state === "failed") this.onError(entry);
    }
    this.list.hidden = this.list.children.length === 0;
    while (this.#active < MAX_CONCURRENT && this.#waiting.length > 0) this.#work();
  }

  #retry(entry) {
    this.#waiting.push(entry);
    entry.state = "waiting";
    if (this.#active < MAX_CONCURRENT) this.#work();
  }

  async #work() {
    this.#active += 1;
    while (this.#waiting.length > 0) await this.#send(this.#waiting.shift());
    this.#active -= 1;
  }

  async #send(entry) {
    try {
      entry.updateProgress(0);
      this.#showResult(entry, await this.#submitWithRetries(entry));
    } catch {
      entry.fail(this.messages.unreachable, { retryable: true });
    }
    if (entry.state === "done") this.onSuccess(entry, { requested: false });
    else if (entry.state === "failed") this.onError(entry);
  }

  /** Retry while the site is busy. */
  async #submitWithRetries(entry) {
    for (let attempt = 1; ; attempt += 1) {
      const request = await submit(this.form, this.field, entry.file, entry.key, (share) => entry.updateProgress(share));
      const busy = BUSY_STATUSES.has(request.status) || (request.status === 409 && request.getResponseHeader("Retry-After"));
      if (!busy || attempt === MAX_ATTEMPTS) return request;
      entry.state = "busy";
      await pause(Number(request.getResponseHeader("Retry-After")) || 1);
    }
  }

  #showResult(entry, { status, response, responseURL }) {
    const problem = response?.querySelector("[role=alert]:not([hidden])");
    const predictions = [...(response?.querySelectorAll("[data-answers] > .answer") ?? [])];
    if (predictions.length > 0) entry.succeed(predictions, responseURL);
    else if (status < 400) location.assign(responseURL); // to sign in, or to a page of its own
    else {
      const retryable = status >= 500 || BUSY_STATUSES.has(status);
      entry.fail(problem?.textContent.trim() || this.messages.failed, { retryable });
    }
  }
}
