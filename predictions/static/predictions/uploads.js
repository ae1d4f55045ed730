// Takes every file that is to be read, on any page: dropped anywhere, folders included, pasted,
// photographed or chosen. The list of them (tray.js) is loaded when there is something to list.

const STATE = "uploads"; // as tray.js names it in sessionStorage

const veil = document.querySelector("[data-veil]"); // not there for those who may not read pictures
const hasSheet = document.querySelector("[data-read-page]") !== null; // shows the answer of one file

/** Read files, each by a request of its own; with `held`, once the list says so. */
export async function upload(files, { held = false, source = "page" } = {}) {
  if (files.length === 0) return;
  const { tray } = await import("./tray.js");
  tray.add(files, { held, alone: hasSheet && files.length === 1, source });
}

function hasList() {
  try {
    return sessionStorage.getItem(STATE) !== null;
  } catch {
    return false; // storage is blocked
  }
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

function receiveDrops() {
  let depth = 0; // dragenter and dragleave fire for every element on the way
  const changeDepth = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  const on = (name, handle) => window.addEventListener(name, (event) => hasFiles(event) && handle(event));
  on("dragenter", () => changeDepth(1));
  on("dragleave", () => changeDepth(-1));
  on("dragover", (event) => event.preventDefault());
  on("drop", async (event) => {
    event.preventDefault();
    changeDepth(-depth);
    // Before anything is awaited: afterwards, what was dropped cannot be read any more.
    const files = [...event.dataTransfer.files];
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    if (entries.every(({ isFile }) => isFile)) return upload(files);
    const { filesOf } = await import("./folders.js");
    return upload(await filesOf(entries));
  });
}

function receivePastes() {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || event.defaultPrevented) return;
    event.preventDefault();
    upload(files);
  });
}

/** Take what a form's inputs choose; one for several holds them, to be looked at and turned. */
function receiveChoices(form) {
  const hint = form.querySelector("[data-held]");
  form.addEventListener("change", async ({ target: input }) => {
    let files = [...input.files];
    input.value = ""; // so that the same file can be chosen again
    if (input.webkitdirectory) files = (await import("./folders.js")).readable(files);
    await upload(files, { held: hint !== null });
    if (hint) hint.hidden = false;
  });
}

if (veil) {
  receiveDrops();
  receivePastes();
  for (const form of document.querySelectorAll("[data-upload]")) receiveChoices(form);
  if (hasList()) import("./tray.js");
}
