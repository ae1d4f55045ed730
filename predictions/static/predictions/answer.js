// Makes predictions interactive. What an answer needs is loaded with the first one.

/** Make the predictions within `root` interactive; resolves with their pictures. */
export async function makeInteractive(root) {
  for (const button of root.querySelectorAll("[data-copy]")) connectCopyButton(button);
  const answers = [...root.querySelectorAll("[data-answer]")];
  if (answers.length === 0) return [];
  const [{ Picture }, { DigitPanel }, { connectCorrecting }] = await Promise.all([
    import("./picture.js"),
    import("./digit-panel.js"),
    import("./correcting.js"),
  ]);
  return answers.map((answer) => {
    const picture = new Picture(answer.querySelector("[data-picture]"));
    const panel = new DigitPanel(answer, picture);
    connectCorrecting(answer, picture, panel, makePartsInteractive);
    picture.choose(panel.first);
    return picture;
  });
}

/** What a saved correction put into the page. */
function makePartsInteractive(parts) {
  for (const part of parts) {
    for (const button of part.querySelectorAll("[data-copy]")) connectCopyButton(button);
  }
}

function connectCopyButton(button) {
  if (!navigator.clipboard) return; // needs a secure connection
  button.hidden = false;
  button.addEventListener("click", async () => {
    const { copy, link } = button.dataset;
    await navigator.clipboard.writeText(link === undefined ? copy : new URL(copy, location).href);
    const confirmation = button.parentElement.querySelector("[data-copied]");
    confirmation.textContent = confirmation.dataset.copied;
  });
}

export const ready = makeInteractive(document);
