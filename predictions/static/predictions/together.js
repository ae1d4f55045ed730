// Pictures that were read together: j and k move along the rows of their table, or from one
// prediction's page to the next.

const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
const siblings = document.querySelector("[data-siblings]");
const links = [...document.querySelectorAll(".upload-text a")];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  const step = STEPS[event.key];
  if (!step || event.defaultPrevented) return;
  if (siblings) {
    if (event.key.startsWith("Arrow")) return; // they scroll
    siblings.querySelector(step > 0 ? "[rel=next]" : "[rel=prev]")?.click();
  } else {
    const row = document.activeElement.closest("tr");
    const at = links.findIndex((link) => row?.contains(link));
    links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
  }
  event.preventDefault();
});
