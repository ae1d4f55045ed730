// Turns a picture by quarters before it is sent.

const MAX_PIXELS = 16_000_000; // more than some browsers draw on a canvas

/** Return the picture turned clockwise by so many quarters, under the same name. */
export async function turned(file, quarters) {
  if (quarters % 4 === 0) return file;
  const picture = await createImageBitmap(file); // upright, as its EXIF says
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (picture.width * picture.height)));
  const width = Math.round(picture.width * scale);
  const height = Math.round(picture.height * scale);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = quarters % 2 ? [height, width] : [width, height];
  const context = canvas.getContext("2d");
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((quarters * Math.PI) / 2);
  context.drawImage(picture, -width / 2, -height / 2, width, height);
  picture.close();
  const type = file.type === "image/png" ? "image/png" : "image/jpeg";
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.95));
  return new File([blob], file.name, { type });
}
