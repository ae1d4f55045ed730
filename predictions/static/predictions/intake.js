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
  // uploads.js shows that something may be dropped, and keeps what is for it from coming here.
  document.addEventListener("drop", (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    onFiles(files);
  });
}
