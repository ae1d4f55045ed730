// Uploads from any page: files dropped anywhere, folders included, or pasted, or chosen by an input
// with data-several. The list of them (tray.js) is only loaded when there is something to list.

const STATE = "uploads"; // as tray.js names it in sessionStorage

const veil = document.querySelector("[data-veil]");
const enabled = veil !== null; // not for those who may not read pictures
// This page has a place of its own for a single picture; it hands several over (read.js).
const takesOne = document.querySelector("[data-upload]") !== null;

/** Read files, each by a request of its own; with `held`, once `release` is called. */
export async function upload(files, options) {
  const { tray } = await import("./tray.js");
  return tray.add(files, options);
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

function receiveDrops() {
  let depth = 0; // dragenter and dragleave fire for every element on the way
  const changeDepth = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  const on = (name, handle) => {
    // Before the page's own listeners.
    window.addEventListener(name, (event) => hasFiles(event) && handle(event), { capture: true });
  };
  on("dragenter", () => changeDepth(1));
  on("dragleave", () => changeDepth(-1));
  on("dragover", (event) => event.preventDefault());
  on("drop", async (event) => {
    changeDepth(-depth);
    // Before anything is awaited: afterwards, what was dropped cannot be read any more.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    if (takesOne && entries.length === 1 && entries[0].isFile) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { filesOf } = await import("./folders.js");
    await upload(await filesOf(entries));
  });
}

function receivePastes() {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || event.defaultPrevented || takesOne) return;
    event.preventDefault();
    upload(files);
  });
}

/** Hold what the form's inputs choose, to be looked at and turned before it is sent. */
function receiveForm(form) {
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", async () => {
      const { readable } = await import("./folders.js");
      const files = [...input.files];
      await upload(input.webkitdirectory ? readable(files) : files, { held: true });
      input.value = ""; // so that the same file can be chosen again
      form.querySelector("[data-held]").hidden = false;
    });
  }
}

if (enabled) {
  receiveDrops();
  receivePastes();
  const form = document.querySelector("[data-several]");
  if (form) receiveForm(form);
  if (sessionStorage.getItem(STATE)) import("./tray.js");
}
