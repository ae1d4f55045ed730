// The first page: its sheet, and the answer of a single file, which may be a saved drawing
// (uploads.js). Without JavaScript the form works by its button.

import { startDrawing } from "./drawing.js";
import { upload } from "./uploads.js";

const page = document.querySelector("[data-read-page]");
const answers = document.querySelector("[data-answers]");
const { read } = page.dataset;
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

/** Show predictions under an address that can be reloaded and shared. */
async function show(query) {
  const url = `${read}?${query}`;
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  if (!response.ok) throw new Error(response.status);
  const other = new DOMParser().parseFromString(await response.text(), "text/html");
  // Not needed before there is an answer.
  const [{ makeInteractive }] = await Promise.all([import("./answer.js"), addStyles(other)]);
  page.dataset.view = "answers";
  page.querySelector("[data-problem]").hidden = true;
  answers.replaceChildren(...document.importNode(other.querySelector("[data-answers]"), true).children);
  makeInteractive(answers);
  document.title = other.title;
  history.pushState(null, "", `${url}#answer`);
  shown = location.search;
  answers.firstElementChild.focus({ preventScroll: true });
  answers.firstElementChild.scrollIntoView(); // CSS decides how, and leaves room above
}

document.addEventListener("read", ({ detail: { facts, remove } }) => {
  if (location.pathname === read) {
    show(facts.query).then(remove, () => {}); // if not, its line still leads to it
  } else {
    remove();
    location.assign(facts.url); // from an old address
  }
});
startDrawing(page, (drawing) => upload([drawing], { source: "canvas" }));
document.querySelector("#picture").multiple = true;
// Going back shows the previous predictions; links within the page change only the hash.
window.addEventListener("popstate", () => {
  if (location.search !== shown) location.reload();
});
