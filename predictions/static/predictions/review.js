// Reviewing by keyboard: digits go to the chosen digit in the picture, the least sure one first;
// letters press the buttons that name them in data-key. Without JavaScript the buttons still work.

import { ready } from "./answer.js";

const keys = document.querySelector("[data-keys]");
if (keys) keys.hidden = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.defaultPrevented || event.target.closest("button, a, summary")) return;
  if (event.key === "Enter" && event.shiftKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const button = document.querySelector(`button[data-key="${CSS.escape(key)}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});

const [picture] = await ready;
const crops = [...document.querySelectorAll("[data-crop]")];
if (picture && crops.length > 0) {
  const numberOf = ({ dataset: { crop } }) =>
    picture.digits.findIndex(({ dataset }) => dataset.position === crop);
  const buttons = crops.map((crop) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...crop.childNodes);
    crop.append(button);
    button.addEventListener("click", () => {
      picture.choose(numberOf(crop), { scroll: true });
      picture.focus();
    });
    return button;
  });
  // What is corrected is followed by the next unsure digit, not by its neighbour.
  picture.next = () => {
    const at = crops.findIndex((crop) => numberOf(crop) === picture.chosen);
    if (at >= 0) crops[at].classList.add("answered");
    return numberOf(crops[Math.min(at + 1, crops.length - 1)]);
  };
  picture.addEventListener("choose", () => {
    crops.forEach((crop, at) => {
      const isChosen = numberOf(crop) === picture.chosen;
      buttons[at].ariaPressed = isChosen;
      const digit = picture.digits[numberOf(crop)]?.textContent.trim();
      crop.querySelector(".crop-digit").textContent = digit || "–";
      if (isChosen) crop.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
  });
  picture.choose(numberOf(crops[0]), { scroll: true });
  picture.focus();
}
