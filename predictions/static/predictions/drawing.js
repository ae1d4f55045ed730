// Predicts while the user draws: a request follows every short pause of the pen and aborts the one
// before it. Nothing is stored until the user saves the drawing.

import { Canvas } from "./canvas.js";

const PAUSE_MS = 40; // of the pen
const MAX_WAIT_MS = 250; // without a pause
const RETRY_MS = 3000;

const percent = new Intl.NumberFormat(document.documentElement.lang, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** Format a probability; never as 0% or 100%. */
function formatProbability(probability) {
  if (probability > 0.999) return `>\u00a0${percent.format(0.999)}`;
  if (probability < 0.001) return `<\u00a0${percent.format(0.001)}`;
  return percent.format(probability);
}

/** Start the drawing area in `section`; `onSaved` gets the id of a saved prediction. */
export function startDrawing(section, onSaved) {
  const part = (name) => section.querySelector(`[data-${name}]`);
  const canvas = new Canvas(part("canvas"));
  const view = new LiveView(section, part);
  const prediction = new LivePrediction(section.dataset, canvas, view);

  const buttons = [part("undo"), part("clear"), part("keep")];
  canvas.addEventListener("change", () => {
    for (const button of buttons) button.disabled = canvas.empty;
    prediction.schedule();
  });
  part("undo").addEventListener("click", () => canvas.undo());
  part("clear").addEventListener("click", () => {
    canvas.clear();
    canvas.element.focus();
  });
  part("width").addEventListener("input", ({ target }) => {
    canvas.width = Number(target.value) / 100;
  });
  part("keep").addEventListener("click", async ({ target }) => {
    target.disabled = true;
    const id = await prediction.save();
    target.disabled = id !== null || canvas.empty;
    if (id) onSaved(id);
  });
}

/** The live prediction shown beside the drawing area. */
class LiveView {
  constructor(section, part) {
    this.section = section;
    this.text = part("text");
    this.output = document.createElement("output"); // in the page only while there is a text
    this.problem = part("problem");
    this.bars = [...section.querySelectorAll(".bars li")];
    this.placeholder = this.text.textContent;
  }

  show({ text, digits, status }, { x, y }, side) {
    const inside = ({ box: [left, top, width, height] }) =>
      x * side >= left && x * side <= left + width && y * side >= top && y * side <= top + height;
    const digit = digits.find(inside) ?? digits.at(-1); // the one being drawn
    this.#setError("");
    this.section.dataset.status = status;
    if (text) this.output.textContent = text;
    this.text.replaceChildren(text ? this.output : this.placeholder);
    this.bars.forEach((bar, number) => this.#fill(bar, number, digit));
  }

  clear() {
    this.#setError("");
    delete this.section.dataset.status;
    this.text.replaceChildren(this.placeholder);
    this.bars.forEach((bar, number) => this.#fill(bar, number, undefined));
  }

  showError(message) {
    this.clear();
    this.#setError(message);
  }

  #setError(message) {
    this.problem.textContent = message;
    this.problem.hidden = message === "";
  }

  #fill(bar, number, digit) {
    const probability = digit?.probabilities[number];
    bar.classList.toggle("chosen", number === digit?.digit);
    bar.querySelector("rect").setAttribute("width", (probability ?? 0) * 100);
    const percentage = bar.querySelector(".bar-percent");
    percentage.textContent = probability === undefined ? "" : formatProbability(probability);
  }
}

/** Requests predictions of the drawing from the API. */
class LivePrediction {
  #timer = 0;
  #due = 0;
  #abort = new AbortController();

  constructor(settings, canvas, view) {
    Object.assign(this, { settings, canvas, view });
    window.addEventListener("online", () => this.schedule());
  }

  schedule(after = PAUSE_MS) {
    if (this.canvas.empty) {
      this.#stop(); // a pending response is for a drawing that is gone
      this.view.clear();
      return;
    }
    const now = performance.now();
    if (this.#timer === 0) this.#due = now + Math.max(after, MAX_WAIT_MS);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#request(), Math.min(after, this.#due - now));
  }

  /** Save the drawing; resolves with the id of its prediction, or null. */
  async save() {
    this.#stop();
    const { prediction, problem } = await this.#send({ store: true });
    if (problem) this.view.showError(problem);
    return prediction ? prediction.id : null;
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  async #request() {
    this.#stop();
    const { signal } = this.#abort;
    const { prediction, problem, retryable } = await this.#send({ store: false, signal });
    if (signal.aborted) return;
    if (prediction) this.view.show(prediction, this.canvas.lastPoint, prediction.width);
    else this.view.showError(problem);
    if (retryable) this.schedule(RETRY_MS);
  }

  async #send({ store, signal }) {
    const body = new FormData();
    body.set("file", this.canvas.picture(), this.settings.fileName);
    body.set("source", "canvas");
    const headers = { Accept: "application/json", "X-CSRFToken": this.settings.csrf };
    try {
      const url = store ? this.settings.api : `${this.settings.api}?store=false`;
      const response = await fetch(url, { method: "POST", body, headers, signal });
      const content = await response.json();
      if (response.ok) return { prediction: content };
      return { problem: content.error.message, retryable: response.status >= 429 };
    } catch {
      return { problem: this.settings.unreachable, retryable: true };
    }
  }
}
