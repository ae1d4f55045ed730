// By which ways pictures come onto the page: chosen, photographed, pasted, dropped anywhere.

/** Call `take` with every list of files that somebody brings. */
export function receive(inputs, take) {
  for (const input of inputs) {
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    take(files);
  });
  receiveDrops(take);
}

function receiveDrops(take) {
  let depth = 0; // dragenter and dragleave come for every element that is passed
  const over = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  const withFiles = (handle) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    handle(event);
  };
  document.addEventListener("dragenter", withFiles(() => over(1)));
  document.addEventListener("dragleave", withFiles(() => over(-1)));
  document.addEventListener("dragover", withFiles(() => {}));
  document.addEventListener("drop", withFiles((event) => {
    over(-depth);
    take([...event.dataTransfer.files]);
  }));
}
