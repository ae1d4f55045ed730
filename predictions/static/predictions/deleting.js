// A deletion of very many goes on by itself; “Stop” leaves the page.

const GLANCE_MS = 300;

const form = document.querySelector("[data-continue]");
setTimeout(() => form.requestSubmit(), GLANCE_MS);
