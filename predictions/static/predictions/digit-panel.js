// Shows the chosen digit: what the model saw, and the probability of each digit.

export class DigitPanel {
  constructor(answer, picture) {
    this.picture = picture;
    this.root = answer.querySelector("[data-digit]");
    if (!this.root) return;
    this.heading = this.root.querySelector("h3");
    this.glyph = this.root.querySelector("[data-glyph]");
    this.bars = [...this.root.querySelectorAll(".bars li")];
    this.rows = [...this.root.querySelectorAll("tbody tr")];
    picture.addEventListener("choose", () => this.#show(picture.digits[picture.chosen]));
  }

  /** The number of the digit to be chosen first: the one that the page shows. */
  get first() {
    if (!this.root) return 0;
    const { chosen } = this.root.dataset;
    return Math.max(0, this.picture.digits?.findIndex(({ dataset }) => dataset.position === chosen) ?? 0);
  }

  #show({ dataset }) {
    const row = this.rows[dataset.position];
    this.root.classList.toggle("added", !row);
    if (!row) {
      this.heading.textContent = this.heading.dataset.added;
      this.bars.forEach((bar) => (bar.className = ""));
      return;
    }
    const [digit, , ...percents] = [...row.cells].map((cell) => cell.textContent);
    const lengths = row.dataset.bars.trim().split(" ").map(Number);
    this.heading.textContent = this.heading.dataset.place.replace("{number}", Number(dataset.position) + 1);
    this.bars.forEach((bar, number) => {
      bar.querySelector("rect").setAttribute("width", lengths[number]);
      bar.querySelector(".bar-percent").textContent = percents[number];
      bar.classList.toggle("chosen", String(number) === digit);
      bar.classList.toggle("likely", row.dataset.likely.includes(number));
    });
    if (!this.glyph) return;
    this.glyph.src = this.glyph.src.replace(/\d+\.png/, `${dataset.position}.png`);
    this.glyph.alt = this.glyph.dataset.alt.replace("{digit}", digit);
  }
}
