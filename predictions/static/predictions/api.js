// The browsable API: other methods and raw bodies, which a plain form cannot send, are sent by
// fetch, and the response replaces the page.

function start() {
  for (const form of document.querySelectorAll("form[data-method]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  }
}

async function send(form) {
  const { csrf } = document.querySelector("[data-csrf]").dataset;
  const headers = { Accept: "text/html", "X-CSRFToken": csrf };
  const body = form.querySelector("[data-override=content]")?.value;
  const type = form.querySelector("[data-override=content-type]")?.value;
  if (type) headers["Content-Type"] = type + boundaryOf(type, body);
  const problem = document.querySelector("[data-problem]");
  try {
    const response = await fetch(form.action, { method: form.dataset.method, headers, body });
    show(new DOMParser().parseFromString(await response.text(), "text/html"));
  } catch {
    problem.hidden = false;
  }
}

/** Read the boundary of a multipart body from its first line. */
function boundaryOf(type, body) {
  const [, boundary] = type === "multipart/form-data" ? (body.match(/^--(\S+)/) ?? []) : [];
  return boundary ? `; boundary="${boundary}"` : "";
}

function show(page) {
  const main = document.importNode(page.querySelector("main"), true);
  document.querySelector("main").replaceWith(main);
  document.title = page.title;
  start();
  main.focus();
  scrollTo(0, 0);
}

start();
