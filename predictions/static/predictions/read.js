// The upload page: files go through the queue, and their predictions are shown below it.
// Without JavaScript the form works by its button.

import { startDrawing } from "./drawing.js";
import { receiveFiles } from "./intake.js";
import { Queue } from "./queue.js";
import { upload } from "./uploads.js";

const page = document.querySelector("[data-read-page]");
const form = document.querySelector("[data-upload]");
const camera = document.querySelector("#camera");
const input = document.querySelector("#picture");
const problem = document.querySelector("[data-problem]");
const answers = document.querySelector("[data-answers]");
const live = document.querySelector("[data-live]");
const messages = { ...form.dataset, maxBytes: Number(form.dataset.maxBytes) };
const fill = (template, { file, text }) =>
  template.replace("{name}", file.name).replace("{text}", text);
let latest; // the file that was chosen last
let shown = location.search; // of the predictions shown

/** Wait for the style sheets of another page that this one has not loaded. */
function addStyles(other) {
  const has = ({ href }) => [...document.styleSheets].some((sheet) => sheet.href === href);
  const missing = [...other.querySelectorAll("link[rel=stylesheet]")]
    .map((link) => document.importNode(link))
    .filter((link) => !has(link));
  return Promise.all(
    missing.map((link) => {
      const loaded = new Promise((resolve) => (link.onload = link.onerror = resolve));
      document.head.append(link);
      return loaded;
    }),
  );
}

/** Show predictions under a URL that can be reloaded and shared. */
async function show(parts, url) {
  // Not needed before there is an answer.
  const [{ makeInteractive }] = await Promise.all([import("./answer.js"), addStyles(parts[0].ownerDocument)]);
  page.dataset.view = "answers";
  answers.replaceChildren(...parts.map((part) => document.importNode(part, true)));
  makeInteractive(answers);
  document.title = messages.title.replace("{text}", answers.firstElementChild.dataset.title);
  history.pushState(null, "", `${url}#answer`);
  shown = location.search;
  answers.firstElementChild.focus({ preventScroll: true });
  answers.firstElementChild.scrollIntoView(); // CSS decides how, and leaves room above
}

const queue = new Queue({
  list: document.querySelector("[data-queue]"),
  template: document.querySelector("#queue-entry"),
  form,
  field: input.name,
  messages,
  onSuccess(entry, { requested }) {
    live.textContent = fill(messages.read, entry);
    if (requested || latest === entry.file) show(entry.predictions, entry.url);
  },
  onError(entry) {
    live.textContent = fill(messages.notRead, entry);
  },
});

receiveFiles([input, camera], (files) => {
  problem.hidden = true;
  if (files.length > 1) {
    upload(files);
    return;
  }
  [latest] = files;
  page.dataset.view = "answers"; // the sheet makes room: what happens is seen at once
  scrollTo({ top: 0 });
  queue.add(files);
});

const draw = document.querySelector("[data-draw]");
startDrawing(page, async (id) => {
  const url = `${draw.dataset.read}?prediction=${id}`;
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  const saved = new DOMParser().parseFromString(await response.text(), "text/html");
  show([...saved.querySelectorAll("[data-answers] > .answer")], url);
});

input.multiple = true;
input.required = false;
form.querySelector("[data-send]").hidden = true;
// Going back shows the previous predictions; links within the page change only the hash.
window.addEventListener("popstate", () => {
  if (location.search !== shown) location.reload();
});
