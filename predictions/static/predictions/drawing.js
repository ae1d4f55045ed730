// Reads the drawing while it is drawn: the site is asked after every short pause of the pen, an
// answer that has been overtaken is not waited for, and nothing is kept before somebody says so.

import { Canvas } from "./canvas.js";

const PAUSE_MS = 40; // of the pen
const AT_LATEST_MS = 250; // also without a pause
const RETRY_MS = 3000;

const percent = new Intl.NumberFormat(document.documentElement.lang, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** Say a probability, and never that anything is certain or impossible. */
function inWords(probability) {
  if (probability > 0.999) return `>\u00a0${percent.format(0.999)}`;
  if (probability < 0.001) return `<\u00a0${percent.format(0.001)}`;
  return percent.format(probability);
}

/** Let people draw in `section`; `onKept` is told the address of what was kept. */
export function startDrawing(section, onKept) {
  const part = (name) => section.querySelector(`[data-${name}]`);
  const canvas = new Canvas(part("canvas"));
  const answer = new LiveAnswer(section, part);
  const asking = new Asking(section.dataset, canvas, answer);

  const buttons = [part("undo"), part("clear"), part("keep")];
  canvas.addEventListener("change", () => {
    for (const button of buttons) button.disabled = canvas.empty;
    asking.later();
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
    const kept = await asking.keep();
    target.disabled = kept !== null || canvas.empty;
    if (kept) onKept(kept);
  });
}

/** What is shown beside the sheet. */
class LiveAnswer {
  constructor(section, part) {
    this.section = section;
    this.text = part("text");
    this.output = document.createElement("output"); // there once there is an answer
    this.problem = part("problem");
    this.bars = [...section.querySelectorAll(".bars li")];
    this.nothing = this.text.textContent;
  }

  show({ text, digits, status }, { x, y }, side) {
    const inside = ({ box: [left, top, width, height] }) =>
      x * side >= left && x * side <= left + width && y * side >= top && y * side <= top + height;
    const digit = digits.find(inside) ?? digits.at(-1); // the one that is being drawn
    this.#say("");
    this.section.dataset.status = status;
    if (text) this.output.textContent = text;
    this.text.replaceChildren(text ? this.output : this.nothing);
    this.bars.forEach((bar, number) => this.#fill(bar, number, digit));
  }

  clear() {
    this.#say("");
    delete this.section.dataset.status;
    this.text.replaceChildren(this.nothing);
    this.bars.forEach((bar, number) => this.#fill(bar, number, undefined));
  }

  fail(words) {
    this.clear();
    this.#say(words);
  }

  #say(words) {
    this.problem.textContent = words;
    this.problem.hidden = words === "";
  }

  #fill(bar, number, digit) {
    const probability = digit?.probabilities[number];
    bar.classList.toggle("chosen", number === digit?.digit);
    bar.querySelector("rect").setAttribute("width", (probability ?? 0) * 100);
    const words = bar.querySelector(".bar-percent");
    words.textContent = probability === undefined ? "" : inWords(probability);
  }
}

/** Asks the API what the drawing says. */
class Asking {
  #timer = 0;
  #due = 0;
  #overtaken = new AbortController();

  constructor(words, canvas, answer) {
    Object.assign(this, { words, canvas, answer });
    window.addEventListener("online", () => this.later());
  }

  later(after = PAUSE_MS) {
    if (this.canvas.empty) {
      this.#stop(); // an answer on its way is to what is no more
      this.answer.clear();
      return;
    }
    const now = performance.now();
    if (this.#timer === 0) this.#due = now + Math.max(after, AT_LATEST_MS);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), Math.min(after, this.#due - now));
  }

  /** Keep the drawing as it is; resolves with its address on this site, or null. */
  async keep() {
    this.#stop();
    const { answer, problem } = await this.#send({ store: true });
    if (problem) this.answer.fail(problem);
    return answer ? answer.id : null;
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#overtaken.abort();
    this.#overtaken = new AbortController();
  }

  async #ask() {
    this.#stop();
    const { signal } = this.#overtaken;
    const { answer, problem, passing } = await this.#send({ store: false, signal });
    if (signal.aborted) return;
    if (answer) this.answer.show(answer, this.canvas.lastPoint, answer.width);
    else this.answer.fail(problem);
    if (passing) this.later(RETRY_MS);
  }

  async #send({ store, signal }) {
    const body = new FormData();
    body.set("file", this.canvas.picture(), this.words.fileName);
    body.set("source", "canvas");
    const headers = { Accept: "application/json", "X-CSRFToken": this.words.csrf };
    try {
      const url = store ? this.words.api : `${this.words.api}?store=false`;
      const response = await fetch(url, { method: "POST", body, headers, signal });
      const content = await response.json();
      if (response.ok) return { answer: content };
      return { problem: content.error.message, passing: response.status >= 429 };
    } catch {
      return { problem: this.words.unreachable, passing: true };
    }
  }
}
