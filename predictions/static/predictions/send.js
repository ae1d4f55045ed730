// Sends one file. Its Idempotency-Key makes it safe to send again whatever became of the last try.

const BUSY = new Set([429, 503]);
const MAX_TRIES = 8;
const MAX_PAUSE_S = 16;

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Send a form once; resolves with the finished request, which has the status 0 if it got no answer. */
function post(url, form, key, { signal, onProgress }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest(); // fetch reports no upload progress
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", key);
    const token = document.querySelector("[name=csrfmiddlewaretoken]"); // there for who is signed in
    if (token) request.setRequestHeader("X-CSRFToken", token.value);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onloadend = () => resolve(request);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/** Send a file, again while the site is busy or away; resolves with the last request. */
export async function send(url, fields, key, { signal, onProgress, onWait }) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  for (let attempt = 1; ; attempt += 1) {
    const request = await post(url, form, key, { signal, onProgress });
    const after = Number(request.getResponseHeader("Retry-After"));
    const again = request.status === 0 || BUSY.has(request.status) || (request.status === 409 && after);
    if (!again || attempt === MAX_TRIES || signal.aborted) return request;
    onWait(request.status === 0 ? "away" : "busy");
    await pause(after || Math.min(MAX_PAUSE_S, 2 ** (attempt - 1)));
    if (signal.aborted) return request;
  }
}
