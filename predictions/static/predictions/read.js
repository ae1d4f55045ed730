// The page that reads: what comes in goes through the queue, and its answer is shown below.
// Without this module the form works by its button.

import { enliven } from "./answer.js";
import { startDrawing } from "./drawing.js";
import { receive } from "./intake.js";
import { Queue } from "./queue.js";

const form = document.querySelector("[data-upload]");
const [input, ...otherInputs] = document.querySelectorAll("input[type=file]");
const problem = document.querySelector("[data-problem]");
const answers = document.querySelector("[data-answers]");
const live = document.querySelector("[data-live]");
const words = { ...form.dataset, maxBytes: Number(form.dataset.maxBytes) };
const fill = (sentence, { file, text }) =>
  sentence.replace("{name}", file.name).replace("{text}", text);
let latest = []; // the files that were brought together last
let shown = location.search; // which answer

/** Show answers at an address of their own, which can be reloaded and sent to others. */
function show(parts, url) {
  answers.replaceChildren(...parts.map((part) => document.importNode(part, true)));
  enliven(answers);
  const [title] = answers.querySelectorAll("output");
  document.title = words.title.replace("{text}", title.textContent.trim());
  history.pushState(null, "", `${url}#answer`);
  shown = location.search;
  answers.firstElementChild.focus({ preventScroll: true });
  answers.scrollIntoView({ block: "nearest" }); // the style sheet says how
}

const queue = new Queue({
  list: document.querySelector("[data-queue]"),
  template: document.querySelector("#queue-entry"),
  form,
  field: input.name,
  words,
  onAnswer(entry, { asked }) {
    live.textContent = fill(words.read, entry);
    // Of many answers that come in one after the other, the first is shown and the others can be.
    if (asked || latest.length === 1 || latest[0] === entry.file) show(entry.answers, entry.url);
  },
  onProblem(entry) {
    live.textContent = fill(words.notRead, entry);
  },
});

receive([input, ...otherInputs], (files) => {
  problem.hidden = true;
  latest = files;
  queue.add(files);
});

const draw = document.querySelector("[data-draw]");
startDrawing(draw, async (id) => {
  const url = `${draw.dataset.read}?prediction=${id}`;
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  show([...page.querySelectorAll(".answer")], url);
});

input.multiple = true;
input.required = false;
form.querySelector("[data-send]").hidden = true;
// The way back leads to the answer before; a link within the page leads nowhere else.
window.addEventListener("popstate", () => {
  if (location.search !== shown) location.reload();
});
