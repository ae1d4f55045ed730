// Predicts while the user draws: a request follows every short pause of the pen, one at a time, so
// that a slow site is not asked for answers that nobody waits for. Nothing is stored until the user
// saves the drawing.

import { Canvas } from "./canvas.js";
import { formatConfidence } from "./task.js";

const PAUSE_MS = 40; // of the pen
const MAX_WAIT_MS = 250; // without a pause
const REST_MS = 500; // of the pen, before what the model saw is asked for
const RETRY_MS = 3000;
const STORED = "drawing"; // in the session: survives leaving the page, not closing its tab
const SVG = "http://www.w3.org/2000/svg";
const PRINTED_PX = 22; // height of a printed digit with its gap

/** Start the sheet in `root`; `keep` gets the file of a drawing to be kept. */
export function startDrawing(root, keep) {
  const part = (name) => root.querySelector(`[data-${name}]`);
  const canvas = new Canvas(part("canvas"));
  const view = new LiveView(root, part);
  const prediction = new LivePrediction(part("draw").dataset, canvas, view);

  const buttons = [part("undo"), part("clear"), part("keep")];
  canvas.addEventListener("change", () => {
    for (const button of buttons) button.disabled = canvas.empty;
    root.classList.toggle("writing", !canvas.empty);
    prediction.schedule();
  });
  canvas.addEventListener("resize", () => {
    view.print([]); // their places have moved
    if (!canvas.empty) prediction.schedule();
  });
  part("undo").addEventListener("click", () => canvas.undo());
  part("clear").addEventListener("click", () => {
    canvas.clear();
    canvas.element.focus();
  });
  part("width").addEventListener("input", ({ target }) => {
    canvas.width = Number(target.value) / 100;
  });
  part("keep").addEventListener("click", () => {
    if (canvas.empty) return; // it was kept a moment ago
    const { file } = canvas.picture();
    keep(new File([file], part("draw").dataset.fileName, { type: file.type }));
    canvas.clear(); // so that it is kept once
  });
  survive(canvas);
}

/** Put back what was on the sheet, and keep what is on it when the page is left. */
function survive(canvas) {
  try {
    canvas.strokes = JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
    window.addEventListener("pagehide", () => sessionStorage.setItem(STORED, JSON.stringify(canvas.strokes)));
  } catch {
    // Storage is blocked, or holds something else.
  }
}

/** What is read of the drawing: above the sheet, and on it. */
class LiveView {
  constructor(root, part) {
    this.live = root.querySelector(".live");
    this.doubtBelow = Number(part("draw").dataset.doubtBelow);
    this.text = part("text");
    this.output = document.createElement("output"); // in the page only while there is a text
    this.problem = part("drawing-problem");
    this.likeliest = part("likeliest");
    this.seen = part("seen");
    this.printed = part("printed");
  }

  show({ text, marked_text: markedText, digits, status }, picture) {
    const inside = ({ box: [left, top, width, height] }) =>
      picture.last.x >= left && picture.last.x <= left + width && picture.last.y >= top && picture.last.y <= top + height;
    this.#setError("");
    this.live.dataset.status = status;
    const shown = markedText || text;
    const lines = shown.split("\n");
    this.text.style.setProperty("--lines", lines.length);
    this.text.style.setProperty("--length", Math.max(...lines.map((line) => line.length)));
    if (shown) this.output.textContent = shown;
    this.text.replaceChildren(shown ? this.output : this.live.dataset.noDigit);
    this.#rank(digits.find(inside) ?? digits.at(-1)); // the one being drawn
    this.print(digits, picture);
    if (!shown) this.seen.hidden = true;
  }

  /** Show what the model saw: a row of 28×28 pixels for each digit. */
  showSeen(step) {
    this.seen.hidden = step === undefined;
    if (step === undefined) return;
    const image = new Image();
    Object.assign(image, { src: step.image, alt: this.seen.dataset.alt });
    this.seen.replaceChildren(image);
  }

  clear() {
    this.#setError("");
    delete this.live.dataset.status;
    this.text.replaceChildren();
    this.#rank(undefined);
    this.print([]);
    this.seen.hidden = true;
  }

  showError(message) {
    this.clear();
    this.#setError(message);
  }

  #setError(message) {
    this.problem.textContent = message;
    this.problem.hidden = message === "";
  }

  /** List the likeliest digits of one place. */
  #rank(digit) {
    this.likeliest.hidden = digit === undefined;
    if (digit === undefined) return;
    const ranked = digit.probabilities.map((probability, number) => ({ probability, number }));
    // What was read comes first, also where the line around it decided.
    ranked.sort((a, b) => (b.number === digit.digit) - (a.number === digit.digit) || b.probability - a.probability);
    [...this.likeliest.children].forEach((bar, place) => {
      const { number, probability } = ranked[place];
      bar.querySelector(".bar-digit").textContent = number;
      bar.querySelector("rect").setAttribute("width", probability * 100);
      bar.querySelector(".bar-percent").textContent = formatConfidence(probability);
    });
  }

  /** Print each digit above its strokes, or below where there is no room. */
  print(digits, picture) {
    const texts = digits.map(({ digit, confidence, box: [left, top, width, height] }) => {
      const text = document.createElementNS(SVG, "text");
      const upper = picture.top + top * picture.pixel;
      const y = upper > PRINTED_PX ? upper - 6 : upper + height * picture.pixel + PRINTED_PX;
      text.setAttribute("x", picture.left + (left + width / 2) * picture.pixel);
      text.setAttribute("y", y);
      text.classList.toggle("doubtful", confidence < this.doubtBelow);
      text.textContent = digit;
      return text;
    });
    this.printed.replaceChildren(...texts);
  }
}

/** Requests predictions of the drawing from the API. */
class LivePrediction {
  #timer = 0;
  #due = 0;
  #rest = 0;
  #abort = new AbortController();
  #asking = false;
  #changed = false; // since the request that is being answered

  constructor(settings, canvas, view) {
    Object.assign(this, { settings, canvas, view });
    window.addEventListener("online", () => this.schedule());
  }

  schedule(after = PAUSE_MS) {
    clearTimeout(this.#rest);
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

  #stop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#rest);
    this.#timer = 0;
    this.#asking = false;
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  async #request() {
    clearTimeout(this.#timer); // one may still be due when an answer is what calls
    this.#timer = 0;
    this.#changed = this.#asking;
    if (this.#asking) return;
    const { signal } = this.#abort;
    const picture = this.canvas.picture();
    this.#asking = true;
    const { prediction, problem, retryable } = await this.#send(picture, "?store=false", signal);
    if (signal.aborted) return;
    this.#asking = false;
    if (prediction) this.view.show(prediction, picture);
    else this.view.showError(problem);
    if (retryable) this.schedule(RETRY_MS);
    else if (this.#changed) this.#request();
    else if (this.#timer === 0) this.#rest = setTimeout(() => this.#explain(picture, signal), REST_MS);
  }

  /** Ask what the model saw, which takes longer than the answer. */
  async #explain(picture, signal) {
    const { prediction } = await this.#send(picture, "?store=false&explain=true", signal);
    if (signal.aborted || !prediction) return;
    this.view.showSeen(prediction.explanation.find(({ step }) => step === "digits"));
  }

  async #send({ file }, query, signal) {
    const body = new FormData();
    body.set("file", file, this.settings.fileName);
    body.set("source", "canvas");
    const headers = { Accept: "application/json", "X-CSRFToken": this.settings.csrf };
    try {
      const response = await fetch(`${this.settings.api}${query}`, { method: "POST", body, headers, signal });
      const content = await response.json();
      if (response.ok) return { prediction: content };
      return { problem: content.error.message, retryable: response.status >= 429 };
    } catch {
      return { problem: this.settings.unreachable, retryable: true };
    }
  }
}
