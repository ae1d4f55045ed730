// Reviewing by keyboard. The field takes digits only, so letters trigger the buttons that name them
// in data-key. Without JavaScript the buttons still work.

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
