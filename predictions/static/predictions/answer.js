// An answer that can be looked into: a digit that is pointed at or focused, in the picture or in
// the row below it, shows what else it may be and what the network saw. And copying.

/** Bring the answers within `root` to life. */
export function enliven(root) {
  for (const digits of root.querySelectorAll("[data-digits]")) enlivenDigits(digits);
  for (const button of root.querySelectorAll("[data-copy]")) enlivenCopying(button);
}

function enlivenDigits(root) {
  const panels = [...root.querySelectorAll(".digit")];
  const links = [...root.querySelectorAll(".strip a")];
  const boxes = [...root.querySelectorAll("[data-boxes] rect")];
  const show = (position) => {
    panels.forEach((panel, at) => (panel.hidden = at !== position));
    links.forEach((link, at) => link.classList.toggle("shown", at === position));
    boxes.forEach((box, at) => box.classList.toggle("shown", at === position));
  };
  // Boxes are for the pointer only: a listener for the focus would let the keyboard stop there too.
  boxes.forEach((box, position) => box.addEventListener("pointerenter", () => show(position)));
  links.forEach((link, position) => {
    for (const event of ["pointerenter", "focus"]) {
      link.addEventListener(event, () => show(position));
    }
    // Its panel is in sight already: a link to it need not jump there.
    link.addEventListener("click", (event) => event.preventDefault());
  });
  if (panels.length > 1) show(0);
}

function enlivenCopying(button) {
  if (!navigator.clipboard) return; // only where the connection is secure
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const said = button.parentElement.querySelector("[data-copied]");
    said.textContent = said.dataset.copied;
  });
}

enliven(document);
