// Reviewing by keyboard. The field takes digits, so letters in it are free to mean the buttons:
// each says with data-key which. Without this module the buttons work by themselves.

const field = document.querySelector("[data-correct] textarea");
const keys = document.querySelector("[data-keys]");

if (field) {
  keys.hidden = false;
  field.focus();
  field.select();
  field.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    if (event.key === "Enter" && event.shiftKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const button = document.querySelector(`button[data-key="${CSS.escape(key)}"]`);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
}
