// The list of uploads, in a corner of every page. What it shows is kept in sessionStorage and the
// files still to be sent in IndexedDB, so that it outlasts going to another page, and going back.

import { find, forget, forgetOld, keep } from "./kept-files.js";
import { send } from "./send.js";
import { turned } from "./turn.js";

// In sessionStorage; uploads.js looks for it. It cannot be imported from there: the names of files
// that import each other cannot be derived from their contents.
const STATE = "uploads";
const MAX_CONCURRENT = 2;
const FILES_PER_BATCH = 1000; // as the API takes them
const NIL = "00000000-0000-0000-0000-000000000000";
const template = document.querySelector("[data-tray-template]");
const { lang } = document.documentElement;
const percentage = new Intl.NumberFormat(lang, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const STATUSES = ["unreadable", "needs_review", "read"]; // the worst first
const FINISHED = new Set(["done", "failed", "lost"]);

function randomText() {
  // crypto.randomUUID needs a secure connection.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function formatConfidence(confidence) {
  if (confidence > 0.999) return `> ${percentage.format(0.999)}`;
  if (confidence < 0.001) return `< ${percentage.format(0.001)}`;
  return percentage.format(confidence);
}

/** One file: what is kept of it (`facts`), and its line in the list. */
class Task {
  file = null;
  aborter = new AbortController();

  constructor(facts, tray) {
    this.facts = facts;
    this.tray = tray;
    this.line = tray.root.querySelector("[data-task-template]").content.firstElementChild.cloneNode(true);
    this.progress = this.part("progress");
    this.image = this.line.querySelector("img");
    this.part("name").textContent = facts.name;
    this.part("name").title = facts.name;
    this.progress.setAttribute("aria-label", facts.name);
    for (const button of this.line.querySelectorAll("button")) {
      button.setAttribute("aria-label", tray.messages.about.replace("{action}", button.title).replace("{name}", facts.name));
    }
    this.part("kind").textContent = facts.name.match(/\.(\w{1,4})$/)?.[1].toUpperCase() ?? "";
    // Instead of what the browser cannot show, its kind stays.
    this.image.addEventListener("load", () => {
      this.image.hidden = false;
      this.show();
    });
    this.part("turn").addEventListener("click", () => this.turn());
    this.part("retry").addEventListener("click", () => tray.retry([this]));
    this.part("remove").addEventListener("click", () => tray.remove([this]));
    this.show();
  }

  part(name) {
    return this.line.querySelector(`[data-${name}]`);
  }

  get state() {
    return this.facts.state;
  }

  update(facts) {
    Object.assign(this.facts, facts);
    this.show();
    this.tray.changed();
  }

  /** Take the file; `kept` says that it is in IndexedDB already. */
  async hold(file, { kept = false } = {}) {
    this.file = file;
    this.image.src = URL.createObjectURL(file);
    if (!kept) await keep(this.facts.id, file);
  }

  turn() {
    // Another picture, so another key: the first may have arrived.
    this.update({ quarters: (this.facts.quarters + 1) % 4, key: randomText() });
  }

  showProgress(share) {
    this.line.dataset.state = share < 1 ? "sending" : "reading";
    this.progress.value = share;
    if (share === 1) this.progress.removeAttribute("value"); // indeterminate while reading
  }

  show() {
    const { state, text, url, status, confidence, problem, retryable, preview, quarters } = this.facts;
    this.line.dataset.state = state; // CSS shows what belongs to it
    this.line.dataset.quarters = state === "done" && !this.file ? 0 : quarters;
    if (state === "done") {
      const link = this.part("text");
      link.href = url;
      if (text) link.textContent = text;
      this.part("status").className = `status ${status}`;
      this.part("status").textContent = this.tray.messages[`status_${status}`];
      this.part("confidence").textContent = confidence === null ? "" : formatConfidence(confidence);
      if (preview && !this.image.getAttribute("src")) this.image.src = preview;
    }
    if (state === "failed" || state === "lost") {
      this.part("problem").textContent = state === "lost" ? this.tray.messages.lost : problem;
    }
    this.part("retry").hidden = !(state === "failed" && retryable);
    const shown = this.file && this.image.complete && this.image.naturalWidth > 0;
    this.part("turn").hidden = !(shown && ["held", "waiting", "failed"].includes(state));
  }

  async work(url) {
    const { id, key, quarters, batch, position } = this.facts;
    this.showProgress(0);
    this.facts.state = "sending";
    this.tray.changed();
    const { signal } = this.aborter;
    if (signal.aborted) return;
    const fields = { file: await turned(this.file, quarters), source: "page", batch, position };
    const request = await send(url, fields, key, {
      signal,
      onProgress: (share) => this.showProgress(share),
      onWait: (why) => (this.line.dataset.state = why),
    });
    if (signal.aborted) return;
    this.take(request);
    if (this.state === "done") forget(id);
  }

  take({ status, response }) {
    const { messages } = this.tray;
    const results = response?.results ?? (response?.id ? [response] : []);
    if (results.length > 0) this.succeed(results, response.upload ?? null);
    else if (status === 0) this.fail(messages.unreachable, true);
    else this.fail(response?.error?.message ?? messages.failed, status >= 500 || status === 429 || status === 409);
  }

  succeed(results, uploadId) {
    const [first] = results;
    const confidences = results.map(({ confidence }) => confidence).filter((c) => c !== null);
    const pages = this.tray.messages.pages.replace("{number}", results.length);
    this.update({
      state: "done",
      text: results.length > 1 ? pages : (first.marked_text || first.text).replaceAll("\n", " · "),
      url: (uploadId && results.length > 1 ? this.tray.messages.table : this.tray.messages.detail).replace(NIL, uploadId ?? first.id),
      status: STATUSES.find((status) => results.some((result) => result.status === status)),
      confidence: confidences.length > 0 ? Math.min(...confidences) : null,
      preview: first.preview_url,
      table: first.batch,
      predictions: results.length,
    });
  }

  fail(problem, retryable) {
    this.update({ state: "failed", problem, retryable });
    this.tray.say(`${this.facts.name}: ${problem}`);
  }
}

class Tray {
  tasks = [];
  #active = 0;

  constructor() {
    this.root = template.content.firstElementChild.cloneNode(true);
    this.messages = { ...this.root.dataset };
    this.list = this.root.querySelector("[data-tasks]");
    this.live = this.root.querySelector("[data-live]");
    this.part("retry-all").addEventListener("click", () => this.retryAll());
    this.part("release").addEventListener("click", () => this.release());
    this.part("clear").addEventListener("click", () => this.remove([...this.tasks]));
    this.root.addEventListener("toggle", () => this.save(), { capture: true });
    document.body.append(this.root);
  }

  part(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  say(text) {
    this.live.textContent = text;
  }

  async add(files, { held = false } = {}) {
    const tasks = [];
    let batch = randomText();
    for (const [index, file] of files.entries()) {
      const position = index % FILES_PER_BATCH;
      if (index > 0 && position === 0) batch = randomText();
      const task = this.#put({
        id: randomText(), key: randomText(), name: file.name, batch, position, quarters: 0, state: held ? "held" : "waiting",
      });
      tasks.push(task);
      if (file.size > Number(this.messages.maxBytes)) task.fail(this.messages.tooLarge, false);
      else task.hold(file);
    }
    this.changed();
    this.#start();
  }

  /** Read what was held. */
  release() {
    for (const task of this.tasks) if (task.state === "held") task.update({ state: "waiting" });
    this.#start();
  }

  retry(tasks) {
    for (const task of tasks) task.update({ state: "waiting" });
    this.#start();
  }

  retryAll() {
    this.retry(this.#retryable());
  }

  remove(tasks) {
    for (const task of tasks) {
      task.aborter.abort();
      task.line.remove();
      forget(task.facts.id);
    }
    this.tasks = this.tasks.filter((task) => !tasks.includes(task));
    this.changed();
  }

  /** Go on with what another page, or this one before it was left, has begun. */
  async restore() {
    const { user, open, tasks = [] } = JSON.parse(sessionStorage.getItem(STATE) ?? "{}");
    if (user !== this.messages.user) {
      // Somebody else has signed in: neither names nor files are theirs.
      for (const { id } of tasks) forget(id);
      this.changed();
      return;
    }
    this.part("box").open = open ?? true;
    for (const facts of tasks) this.#put(facts);
    for (const task of this.tasks) {
      if (["done", "lost"].includes(task.state)) continue;
      const file = await find(task.facts.id);
      if (file) await task.hold(file, { kept: true });
      if (task.state === "failed") {
        if (!file) task.update({ retryable: false });
      } else if (!file) task.update({ state: "lost" });
      else if (task.state === "sending") task.update({ state: "waiting" });
      task.show();
    }
    this.changed();
    this.#start();
  }

  /** Stop sending and forget what is on this page: the next one goes on. */
  leave() {
    this.save();
    for (const task of this.tasks) task.aborter.abort();
  }

  save() {
    if (this.tasks.length === 0) return sessionStorage.removeItem(STATE);
    const { user } = this.messages;
    const state = { user, open: this.part("box").open, tasks: this.tasks.map(({ facts }) => facts) };
    return sessionStorage.setItem(STATE, JSON.stringify(state));
  }

  changed() {
    const total = this.tasks.length;
    const count = (state) => this.tasks.filter((task) => task.state === state).length;
    const done = count("done");
    const finished = this.tasks.every((task) => FINISHED.has(task.state));
    const held = count("held");
    const failed = count("failed") + count("lost");
    const message = done === total ? "summaryAll" : held === total ? "summaryHeld" : "summary";
    const summary = this.messages[message].replace("{done}", done).replace("{total}", total);
    this.part("summary").textContent = summary;
    this.part("failed").textContent = failed ? this.messages.summaryFailed.replace("{failed}", failed) : "";
    this.part("total").value = total ? done / total : 0;
    this.part("total").hidden = finished || held === total;
    this.part("release").hidden = held === 0;
    this.part("retry-all").hidden = this.#retryable().length < 2;
    this.part("clear").textContent = this.messages[finished ? "close" : held === total ? "clear" : "stop"];
    const latest = this.tasks.filter((task) => task.facts.table).at(-1);
    const together = this.tasks.filter(({ facts }) => facts.table && facts.table === latest?.facts.table);
    const here = latest && location.pathname === this.messages.table.replace(NIL, latest.facts.table);
    if (here && finished && failed === 0) this.part("box").open = false; // the page shows the same
    this.part("table").hidden = together.length < 2 || here;
    if (latest) this.part("table").href = this.messages.table.replace(NIL, latest.facts.table);
    this.root.hidden = total === 0;
    if (finished && total > 0 && this.#active > 0) this.say(summary);
    this.save();
  }

  #retryable() {
    return this.tasks.filter(({ state, file, facts }) => state === "failed" && facts.retryable && file);
  }

  #put(facts) {
    const task = new Task(facts, this);
    this.tasks.push(task);
    this.list.append(task.line);
    return task;
  }

  #start() {
    while (this.#active < MAX_CONCURRENT && this.#next()) this.#work();
  }

  #next() {
    return this.tasks.find((task) => task.state === "waiting" && task.file);
  }

  async #work() {
    this.#active += 1;
    for (let task = this.#next(); task; task = this.#next()) {
      await task.work(this.messages.api).catch(() => task.fail(this.messages.failed, true));
      this.changed();
    }
    this.#active -= 1;
  }
}

export let tray = new Tray();
await tray.restore();
forgetOld();

window.addEventListener("pagehide", () => tray.leave());
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  tray.root.remove();
  tray = new Tray();
  tray.restore();
});
window.addEventListener("online", () => tray.retryAll());
