// A drawing area for mouse, pen, finger and keyboard. Strokes are stored as points in units of its
// side: so they can be undone, scale with the page, and are redrawn for the model, always dark on
// light, whatever the colours on the screen.

const PICTURE_SIDE = 320; // pixels of the picture that is uploaded
const STEP = 0.025; // of the side, per arrow key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Canvas extends EventTarget {
  width = 0.06; // of the side
  #strokes = [];
  #pointer = null; // the one drawing; others (a palm, a second finger) are ignored
  #pen = null; // the keyboard's pen: {x, y, down}

  constructor(element) {
    super();
    this.element = element;
    new ResizeObserver(() => this.#fit()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, (event) => this.#lift(event));
    }
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("blur", () => this.#setPen(null));
  }

  get empty() {
    return this.#strokes.length === 0;
  }

  /** The last position of the pen, in units of the side. */
  get lastPoint() {
    return this.#strokes.at(-1)?.points.at(-1);
  }

  undo() {
    this.#strokes.pop();
    this.#changed();
  }

  clear() {
    this.#strokes = [];
    this.#changed();
  }

  /** The drawing as a PNG, black on white. */
  picture() {
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = PICTURE_SIDE;
    const context = sheet.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, PICTURE_SIDE, PICTURE_SIDE);
    this.#draw(context, PICTURE_SIDE, "#000");
    // Not toBlob: Chromium runs it when idle, or after a second.
    const bytes = atob(sheet.toDataURL("image/png").split(",")[1]);
    return new Blob([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], { type: "image/png" });
  }

  #changed() {
    this.#paint();
    this.dispatchEvent(new Event("change"));
  }

  #begin(x, y) {
    this.#strokes.push({ width: this.width, points: [{ x, y }] });
    this.#changed();
  }

  #extend(...points) {
    this.#strokes.at(-1).points.push(...points);
    this.#changed();
  }

  #press(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#pointer = event.pointerId;
    this.element.setPointerCapture(event.pointerId); // a stroke may leave the sheet and come back
    const { x, y } = this.#position(event);
    this.#begin(x, y);
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.#extend(...(events.length > 0 ? events : [event]).map((each) => this.#position(each)));
  }

  #lift(event) {
    if (event.pointerId === this.#pointer) this.#pointer = null;
  }

  #position(event) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === " ") this.#setPen(!this.#pen?.down);
    else if (arrow) this.#step(...arrow);
    else return;
    event.preventDefault();
  }

  /** Lower or lift the keyboard's pen; null hides it. */
  #setPen(down) {
    if (down === null && this.#pen === null) return;
    this.#pen = down === null ? null : { x: 0.5, y: 0.5, ...this.#pen, down };
    if (down) this.#begin(this.#pen.x, this.#pen.y);
    else this.#paint();
  }

  #step(right, down) {
    const { x, y, down: drawing } = this.#pen ?? { x: 0.5, y: 0.5, down: false };
    const clamp = (value) => Math.min(1, Math.max(0, value));
    this.#pen = { x: clamp(x + right * STEP), y: clamp(y + down * STEP), down: drawing };
    if (drawing) this.#extend({ x: this.#pen.x, y: this.#pen.y });
    else this.#paint();
  }

  /** Match the canvas's resolution to the screen's. */
  #fit() {
    const side = Math.round(this.element.clientWidth * devicePixelRatio);
    if (side === 0 || side === this.element.width) return;
    this.element.width = this.element.height = side;
    this.#paint();
  }

  #paint() {
    const context = this.element.getContext("2d");
    const side = this.element.width;
    context.clearRect(0, 0, side, side);
    const { color, outlineColor } = getComputedStyle(this.element);
    this.#draw(context, side, color);
    if (this.#pen === null) return;
    context.beginPath();
    context.strokeStyle = outlineColor;
    context.lineWidth = side / 160;
    context.arc(this.#pen.x * side, this.#pen.y * side, side / (this.#pen.down ? 40 : 25), 0, 7);
    context.stroke();
  }

  #draw(context, side, colour) {
    context.strokeStyle = colour;
    context.lineCap = context.lineJoin = "round";
    for (const { width, points } of this.#strokes) {
      context.lineWidth = width * side;
      context.beginPath();
      traceSmoothly(context, points.map(({ x, y }) => [x * side, y * side]));
      context.stroke();
    }
  }
}

/** Trace a smooth line: quadratic curves between the midpoints of its segments. */
function traceSmoothly(context, points) {
  const [first, ...rest] = points;
  context.moveTo(...first);
  let previous = first;
  for (const point of rest) {
    context.quadraticCurveTo(...previous, (previous[0] + point[0]) / 2, (previous[1] + point[1]) / 2);
    previous = point;
  }
  context.lineTo(...previous); // a single point becomes a dot
}
