// A picture with its digits printed on it: choosing one by pointer or arrow keys; zooming by wheel,
// pinch and keys; panning by scrolling, by drag and by keys; full screen. Zooming only widens the
// SVG inside its stage, so boxes and text need no arithmetic.

const MAX_ZOOM = 12;
const ZOOM_STEP = 1.5;
const MIN_HEIGHT = 80; // CSS pixels
const PAN_STEP = 60; // CSS pixels
const CLICK_DISTANCE = 5; // CSS pixels that a click may move
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
const LINE_STEPS = { ArrowUp: -1, ArrowDown: 1 };
const PANS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Dispatches `choose` when another digit is chosen. */
export class Picture extends EventTarget {
  chosen = -1;
  #zoom = 1;

  constructor(figure) {
    super();
    this.figure = figure;
    this.stage = figure.querySelector("[data-stage]");
    if (!this.stage) return; // nothing to show
    this.svg = this.stage.querySelector("svg");
    this.connect();
    this.#connectView();
    this.#connectPointers();
    const { height } = this.svg.getBoundingClientRect();
    if (height > 0 && height < MIN_HEIGHT) this.zoomBy(MIN_HEIGHT / height); // a long strip
  }

  /** Find the digits, again after a correction has replaced them. */
  connect() {
    this.printed = this.svg.querySelector("[data-part]");
    this.digits = [...this.printed.querySelectorAll("tspan[data-number]")];
    this.boxes = new Map(
      [...this.printed.querySelectorAll("rect[data-number]")].map((box) => [box.dataset.number, box]),
    );
    if (this.digits.length === 0) return;
    this.printed.setAttribute("role", "listbox");
    this.printed.setAttribute("tabindex", "0");
    this.printed.setAttribute("aria-label", this.printed.dataset.label);
    this.digits.forEach((digit, number) => {
      digit.setAttribute("role", "option");
      digit.id = `${this.printed.id}-${number}`;
    });
  }

  get count() {
    return this.digits?.length ?? 0;
  }

  focus() {
    this.printed?.focus({ preventScroll: true });
  }

  get focused() {
    return this.stage?.contains(document.activeElement) ?? false;
  }

  /** Choose the digit at `number`; the nearest one if there are fewer. */
  choose(number, { scroll = false } = {}) {
    if (this.count === 0) return;
    this.chosen = Math.min(this.count - 1, Math.max(0, number));
    this.digits.forEach((digit, each) => {
      const chosen = each === this.chosen;
      digit.classList.toggle("chosen", chosen);
      digit.setAttribute("aria-selected", chosen);
      this.boxes.get(digit.dataset.number)?.classList.toggle("chosen", chosen);
    });
    const digit = this.digits[this.chosen];
    this.printed.setAttribute("aria-activedescendant", digit.id);
    if (scroll && this.#zoom > 1) this.#reveal();
    this.dispatchEvent(new Event("choose"));
  }

  /** Choose the digit of the next or previous line that stands nearest. */
  #chooseLine(step) {
    const lines = [...this.printed.querySelectorAll("text")].map((line) =>
      this.digits.filter((digit) => digit.parentElement === line),
    );
    const at = lines.findIndex((line) => line.includes(this.digits[this.chosen]));
    const line = lines[at + step];
    if (!line?.length) return;
    const x = (digit) => Number(digit.getAttribute("x"));
    const here = x(this.digits[this.chosen]);
    const nearest = line.reduce((a, b) => (Math.abs(x(b) - here) < Math.abs(x(a) - here) ? b : a));
    this.choose(this.digits.indexOf(nearest), { scroll: true });
  }

  /** Zoom by `factor`; the point of the picture at (x, y) of the window stays where it is. */
  zoomBy(factor, x, y) {
    const zoom = Math.min(MAX_ZOOM, Math.max(1, this.#zoom * factor));
    if (zoom === this.#zoom) return;
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    const [across, down] = [(x ?? left + width / 2) - left, (y ?? top + height / 2) - top];
    const ratio = zoom / this.#zoom;
    const [scrollLeft, scrollTop] = [this.stage.scrollLeft, this.stage.scrollTop];
    this.#zoom = zoom;
    this.stage.style.setProperty("--zoom", zoom);
    this.stage.classList.toggle("zoomed", zoom > 1);
    this.stage.scrollLeft = (scrollLeft + across) * ratio - across;
    this.stage.scrollTop = (scrollTop + down) * ratio - down;
    this.#updateTools();
  }

  /** Scroll the chosen digit into the stage. */
  #reveal() {
    const shown = this.boxes.get(this.digits[this.chosen].dataset.number) ?? this.digits[this.chosen];
    const box = shown.getBoundingClientRect();
    const stage = this.stage.getBoundingClientRect();
    this.stage.scrollLeft += box.left + box.width / 2 - stage.left - stage.width / 2;
    this.stage.scrollTop += box.top + box.height / 2 - stage.top - stage.height / 2;
  }

  #connectView() {
    const tools = this.figure.querySelector("[data-view-tools]");
    tools.hidden = false;
    this.zoomOut = tools.querySelector("[data-zoom=out]");
    this.zoomIn = tools.querySelector("[data-zoom=in]");
    this.zoomOut.addEventListener("click", () => this.zoomBy(1 / ZOOM_STEP));
    this.zoomIn.addEventListener("click", () => this.zoomBy(ZOOM_STEP));
    const fullScreen = tools.querySelector("[data-full-screen]");
    fullScreen.hidden = !document.fullscreenEnabled;
    fullScreen.addEventListener("click", () => this.#toggleFullScreen());
    document.addEventListener("fullscreenchange", () => this.zoomBy(0)); // back to the whole picture
    this.stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    this.#updateTools();
  }

  #updateTools() {
    this.zoomOut.disabled = this.#zoom === 1;
    this.zoomIn.disabled = this.#zoom === MAX_ZOOM;
  }

  #toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.figure.requestFullscreen();
  }

  /** With Ctrl, as a pinch on a touchpad sends it, and in full screen; else the page scrolls. */
  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey && !document.fullscreenElement) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-Math.sign(event.deltaY) * Math.min(0.4, Math.abs(event.deltaY) / 250)), event.clientX, event.clientY);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.shiftKey && event.key in PANS) {
      const [right, down] = PANS[event.key];
      this.stage.scrollBy(right * PAN_STEP, down * PAN_STEP);
    } else if (event.key in STEPS) this.choose(this.chosen + STEPS[event.key], { scroll: true });
    else if (event.key in LINE_STEPS) this.#chooseLine(LINE_STEPS[event.key]);
    else if (event.key === "Home") this.choose(0, { scroll: true });
    else if (event.key === "End") this.choose(this.count - 1, { scroll: true });
    else if (event.key === "+" || event.key === "=") this.#zoomAtChosen(ZOOM_STEP);
    else if (event.key === "-") this.#zoomAtChosen(1 / ZOOM_STEP);
    else if (event.key === "f") this.#toggleFullScreen();
    else return;
    event.preventDefault();
  }

  #zoomAtChosen(factor) {
    this.zoomBy(factor);
    if (this.count > 0) this.#reveal();
  }

  /** One pointer that hardly moves chooses, a mouse that moves pans, two fingers zoom. */
  #connectPointers() {
    const pointers = new Map();
    let start = null; // of a click
    let apart = 0; // two fingers
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return { distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2 };
    };
    this.stage.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      start = pointers.size === 1 ? event : null;
      if (pointers.size === 2) apart = spread().distance;
    });
    // Dragging the zoomed picture pans it; dragging its text selects.
    this.stage.addEventListener("mousedown", (event) => {
      if (!event.target.closest("tspan") && this.#zoom > 1) event.preventDefault();
    });
    this.stage.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      if (pointers.size === 1 && event.pointerType === "mouse" && !start?.target.closest("tspan")) {
        this.stage.scrollBy({ left: last.clientX - event.clientX, top: last.clientY - event.clientY, behavior: "instant" });
      }
      pointers.set(event.pointerId, event);
      if (pointers.size !== 2) return;
      const { distance, x, y } = spread();
      if (apart > 0) this.zoomBy(distance / apart, x, y);
      apart = distance;
    });
    this.stage.addEventListener("pointerup", (event) => {
      if (start && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < CLICK_DISTANCE) {
        const hit = event.target.closest("[data-number]");
        if (hit) this.choose(Number(hit.dataset.number));
        if (hit) this.focus();
      }
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      this.stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
  }
}
