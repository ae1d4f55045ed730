// Makes predictions interactive. What an answer needs is loaded with the first one.

import "./copy.js";

/** Make the predictions within `root` interactive; resolves with their pictures. */
export async function makeInteractive(root) {
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
    connectCorrecting(answer, picture, panel);
    picture.choose(panel.first);
    return picture;
  });
}

export const ready = makeInteractive(document);
