// A drawing area for mouse, pen, finger and keyboard. Strokes are stored as points in units of the
// sheet's height: so they can be undone, scale with the page, and are redrawn for the model, always
// dark on light, whatever the colours on the screen.

const PICTURE_HEIGHT = 320; // pixels that the sheet's height has in the picture that is uploaded
const MIN_MARGIN = 16; // pixels around the ink in that picture
const MARGIN = 0.25; // of the ink's height
const STEP = 0.025; // per arrow key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Canvas extends EventTarget {
  width = 0.025;
  #strokes = [];
  #pointer = null; // the one drawing; others (a palm, a second finger) are ignored
  #pen = null; // the keyboard's pen: {x, y, down}

  constructor(element) {
    super();
    this.element = element;
    new ResizeObserver(() => this.#fit()).observe(element);
    document.addEventListener("themechange", () => this.#paint());
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

  /** The strokes, to be kept and put back. */
  get strokes() {
    return this.#strokes;
  }

  set strokes(strokes) {
    this.#strokes = strokes;
    // What is being written may be gone: it is not gone on with.
    this.#pointer = null;
    if (this.#pen) this.#pen.down = false;
    this.#changed();
  }

  undo() {
    this.strokes = this.#strokes.slice(0, -1);
  }

  clear() {
    this.strokes = [];
  }

  /**
   * The written part of the sheet as a PNG, black on white, and what is needed to find places of
   * it on the screen: the place of its upper left corner and the length of its pixels, in pixels of
   * the screen, and where the pen was last, in its own pixels.
   */
  picture() {
    const [left, top, right, bottom] = this.#inkBounds().map((value) => value * PICTURE_HEIGHT);
    const margin = Math.max(MIN_MARGIN, MARGIN * (bottom - top));
    const [x, y] = [Math.floor(left - margin), Math.floor(top - margin)];
    const sheet = document.createElement("canvas");
    sheet.width = Math.ceil(right + margin) - x;
    sheet.height = Math.ceil(bottom + margin) - y;
    const context = sheet.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.translate(-x, -y);
    this.#draw(context, PICTURE_HEIGHT, "#000");
    // Not toBlob: Chromium runs it when idle, or after a second.
    const bytes = atob(sheet.toDataURL("image/png").split(",")[1]);
    const png = Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
    const pixel = this.#unit / PICTURE_HEIGHT;
    const last = this.#strokes.at(-1).points.at(-1);
    return {
      file: new Blob([png], { type: "image/png" }),
      left: x * pixel,
      top: y * pixel,
      pixel,
      last: { x: last.x * PICTURE_HEIGHT - x, y: last.y * PICTURE_HEIGHT - y },
    };
  }

  /** The least and greatest coordinates of the ink that is on the sheet. */
  #inkBounds() {
    const [right, bottom] = [this.element.clientWidth / this.#unit, this.element.clientHeight / this.#unit];
    const bounds = [right, bottom, 0, 0];
    for (const { width, points } of this.#strokes) {
      for (const { x, y } of points) {
        bounds[0] = Math.min(bounds[0], Math.max(0, x - width / 2));
        bounds[1] = Math.min(bounds[1], Math.max(0, y - width / 2));
        bounds[2] = Math.max(bounds[2], Math.min(right, x + width / 2));
        bounds[3] = Math.max(bounds[3], Math.min(bottom, y + width / 2));
      }
    }
    return bounds;
  }

  /** The length of one unit in pixels of the screen: less if a narrower screen has to show all. */
  get #unit() {
    const { clientWidth, clientHeight } = this.element;
    const widest = Math.max(0, ...this.#strokes.map(({ reach }) => reach));
    return Math.min(clientHeight, clientWidth / widest) || 1;
  }

  #changed() {
    this.#paint();
    this.dispatchEvent(new Event("change"));
  }

  #begin(x, y) {
    this.#strokes.push({ width: this.width, reach: this.element.clientWidth / this.#unit, points: [{ x, y }] });
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
    const { left, top } = this.element.getBoundingClientRect();
    return { x: (event.clientX - left) / this.#unit, y: (event.clientY - top) / this.#unit };
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === " ") this.#setPen(!this.#pen?.down);
    else if (arrow) this.#step(...arrow);
    else return;
    event.preventDefault();
  }

  get #middle() {
    return { x: this.element.clientWidth / this.#unit / 2, y: 0.5 };
  }

  /** Lower or lift the keyboard's pen; null hides it. */
  #setPen(down) {
    if (down === null && this.#pen === null) return;
    this.#pen = down === null ? null : { ...this.#middle, ...this.#pen, down };
    if (down) this.#begin(this.#pen.x, this.#pen.y);
    else this.#paint();
  }

  #step(right, down) {
    const { x, y, down: drawing } = this.#pen ?? { ...this.#middle, down: false };
    const clamp = (value, most) => Math.min(most, Math.max(0, value));
    const [width, height] = [this.element.clientWidth / this.#unit, this.element.clientHeight / this.#unit];
    this.#pen = { x: clamp(x + right * STEP, width), y: clamp(y + down * STEP, height), down: drawing };
    if (drawing) this.#extend({ x: this.#pen.x, y: this.#pen.y });
    else this.#paint();
  }

  /** Match the canvas's resolution to the screen's. */
  #fit() {
    const [width, height] = [this.element.clientWidth, this.element.clientHeight].map((side) =>
      Math.round(side * devicePixelRatio),
    );
    if (width === 0 || (width === this.element.width && height === this.element.height)) return;
    Object.assign(this.element, { width, height });
    this.#paint();
    this.dispatchEvent(new Event("resize"));
  }

  #paint() {
    const context = this.element.getContext("2d");
    const unit = this.#unit * devicePixelRatio;
    context.clearRect(0, 0, this.element.width, this.element.height);
    const { color, outlineColor } = getComputedStyle(this.element);
    this.#draw(context, unit, color);
    if (this.#pen === null) return;
    context.beginPath();
    context.strokeStyle = outlineColor;
    context.lineWidth = unit / 160;
    context.arc(this.#pen.x * unit, this.#pen.y * unit, unit / (this.#pen.down ? 40 : 25), 0, 7);
    context.stroke();
  }

  #draw(context, unit, colour) {
    context.strokeStyle = colour;
    context.lineCap = context.lineJoin = "round";
    for (const { width, points } of this.#strokes) {
      context.lineWidth = width * unit;
      context.beginPath();
      traceSmoothly(context, points.map(({ x, y }) => [x * unit, y * unit]));
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
