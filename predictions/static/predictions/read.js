// The upload page: files go through the queue, and their predictions are shown below it.
// Without JavaScript the form works by its button.

import { makeInteractive } from "./answer.js";
import { startDrawing } from "./drawing.js";
import { receiveFiles } from "./intake.js";
import { Queue } from "./queue.js";

const form = document.querySelector("[data-upload]");
const [input, ...otherInputs] = document.querySelectorAll("input[type=file]");
const problem = document.querySelector("[data-problem]");
const answers = document.querySelector("[data-answers]");
const live = document.querySelector("[data-live]");
const messages = { ...form.dataset, maxBytes: Number(form.dataset.maxBytes) };
const fill = (template, { file, text }) =>
  template.replace("{name}", file.name).replace("{text}", text);
let latest = []; // the files of the last selection
let shown = location.search; // of the predictions shown

/** Show predictions under a URL that can be reloaded and shared. */
function show(parts, url) {
  answers.replaceChildren(...parts.map((part) => document.importNode(part, true)));
  makeInteractive(answers);
  const [title] = answers.querySelectorAll("output");
  document.title = messages.title.replace("{text}", title.textContent.trim());
  history.pushState(null, "", `${url}#answer`);
  shown = location.search;
  answers.firstElementChild.focus({ preventScroll: true });
  answers.scrollIntoView({ block: "nearest" }); // CSS decides how
}

const queue = new Queue({
  list: document.querySelector("[data-queue]"),
  template: document.querySelector("#queue-entry"),
  form,
  field: input.name,
  messages,
  onSuccess(entry, { requested }) {
    live.textContent = fill(messages.read, entry);
    // Of several files, show the first; the others are opened by their links.
    if (requested || latest.length === 1 || latest[0] === entry.file) show(entry.predictions, entry.url);
  },
  onError(entry) {
    live.textContent = fill(messages.notRead, entry);
  },
});

receiveFiles([input, ...otherInputs], (files) => {
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
// Going back shows the previous predictions; links within the page change only the hash.
window.addEventListener("popstate", () => {
  if (location.search !== shown) location.reload();
});
