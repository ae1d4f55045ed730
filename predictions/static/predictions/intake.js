// Where files come from: chosen, photographed, pasted, or dropped anywhere on the page.

/** Call `onFiles` with each list of files. */
export function receiveFiles(inputs, onFiles) {
  for (const input of inputs) {
    input.addEventListener("change", () => {
      onFiles([...input.files]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    onFiles(files);
  });
  receiveDrops(onFiles);
}

function receiveDrops(onFiles) {
  let depth = 0; // dragenter and dragleave fire for every element on the way
  const changeDepth = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  const withFiles = (handle) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    handle(event);
  };
  document.addEventListener("dragenter", withFiles(() => changeDepth(1)));
  document.addEventListener("dragleave", withFiles(() => changeDepth(-1)));
  document.addEventListener("dragover", withFiles(() => {}));
  document.addEventListener("drop", withFiles((event) => {
    changeDepth(-depth);
    onFiles([...event.dataTransfer.files]);
  }));
}
