// Buttons that copy: data-copy is the text, an address of this site (with data-link), or the address
// of the text (with data-fetch). They show where copying is possible.

const SAID_MS = 2_000;
const live = document.createElement("p");
live.className = "visually-hidden";
live.setAttribute("role", "status");

async function copyBy(button) {
  const { copy, link, fetch: fetched, copied } = button.dataset;
  const response = fetched === undefined ? null : await fetch(copy);
  if (response?.ok === false) return location.assign(copy); // its page says why
  const text = response ? await response.text() : link === undefined ? copy : new URL(copy, location).href;
  await navigator.clipboard.writeText(text);
  button.dataset.label ??= button.textContent;
  button.textContent = live.textContent = copied;
  return setTimeout(() => {
    button.textContent = button.dataset.label;
    live.textContent = "";
  }, SAID_MS);
}

if (navigator.clipboard) { // needs a secure connection
  document.documentElement.classList.add("copies");
  document.body.append(live);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-copy]");
    if (button) copyBy(button);
  });
}
