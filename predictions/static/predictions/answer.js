// Makes predictions interactive: hovering over or focusing a digit, in the picture or in the row
// below it, shows its probabilities and its glyph. Also the copy button.

/** Make the predictions within `root` interactive. */
export function makeInteractive(root) {
  for (const digits of root.querySelectorAll("[data-digits]")) connectDigits(digits);
  for (const button of root.querySelectorAll("[data-copy]")) connectCopyButton(button);
}

function connectDigits(root) {
  const panels = [...root.querySelectorAll(".digit")];
  const links = [...root.querySelectorAll(".strip a")];
  const boxes = [...root.querySelectorAll("[data-boxes] rect:not(.mark)")];
  const show = (position) => {
    panels.forEach((panel, index) => (panel.hidden = index !== position));
    links.forEach((link, index) => link.classList.toggle("shown", index === position));
    boxes.forEach((box, index) => box.classList.toggle("shown", index === position));
  };
  // Boxes are for the pointer only: a focus listener would make them stops of the Tab key.
  boxes.forEach((box, position) => box.addEventListener("pointerenter", () => show(position)));
  links.forEach((link, position) => {
    for (const event of ["pointerenter", "focus"]) {
      link.addEventListener(event, () => show(position));
    }
    // Its panel is already visible: no need to jump there.
    link.addEventListener("click", (event) => event.preventDefault());
  });
  if (panels.length > 1) show(0);
}

function connectCopyButton(button) {
  if (!navigator.clipboard) return; // needs a secure connection
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const confirmation = button.parentElement.querySelector("[data-copied]");
    confirmation.textContent = confirmation.dataset.copied;
  });
}

makeInteractive(document);
