// The list of uploads, in a corner of every page. What it shows is kept in sessionStorage and the
// files still to be sent in IndexedDB, so that it outlasts going to another page, and going back.

import { NIL, Task, randomText } from "./task.js";

// In sessionStorage; uploads.js looks for it. It cannot be imported from there: the names of files
// that import each other cannot be derived from their contents.
const STATE = "uploads";
const MAX_CONCURRENT = 2;
const FILES_PER_BATCH = 1000; // as the API takes them
const template = document.querySelector("[data-tray-template]");
const FILES = "files";
const KEPT_MS = 12 * 3_600_000; // an Idempotency-Key is good for twice as long
const FINISHED = new Set(["done", "failed", "lost"]);

/* The files that are still to be sent. Where they cannot be kept, they are lost with the page, which
   the list then says. */

let opened;
function openDatabase() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("uploads", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(FILES);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function run(mode, act) {
  const database = await openDatabase();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(FILES, mode);
    const request = act(transaction.objectStore(FILES));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

const orNothing = (promise) => promise.catch(() => undefined);

const keep = (id, file) => orNothing(run("readwrite", (store) => store.put({ file, at: Date.now() }, id)));
const forget = (id) => orNothing(run("readwrite", (store) => store.delete(id)));
const find = (id) => orNothing(run("readonly", (store) => store.get(id))).then((row) => row?.file);

/** Forget the files of tabs that were closed long ago. */
function forgetOld() {
  return orNothing(run("readwrite", (store) => {
    store.openCursor().onsuccess = ({ target: { result: cursor } }) => {
      if (!cursor) return;
      if (cursor.value.at < Date.now() - KEPT_MS) cursor.delete();
      cursor.continue();
    };
  }));
}

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STATE)) ?? {};
  } catch {
    return {}; // storage is blocked
  }
}

class Tray {
  tasks = [];
  #active = 0;

  constructor() {
    this.root = template.content.firstElementChild.cloneNode(true);
    this.messages = { ...this.root.dataset };
    this.list = this.root.querySelector("[data-tasks]");
    this.live = document.querySelector("[data-tray-live]");
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

  /** List files and send them; with `held`, once `release` is called. */
  add(files, { held, alone, source }) {
    for (const task of this.tasks) task.facts.alone = false; // the page shows the latest
    let batch;
    for (const [index, file] of files.entries()) {
      const position = index % FILES_PER_BATCH;
      if (position === 0 && files.length > 1) batch = randomText();
      const task = this.#put({
        id: randomText(), key: randomText(), name: file.name, source, batch, position, quarters: 0, alone, state: held ? "held" : "waiting",
      });
      if (file.size > Number(this.messages.maxBytes)) {
        task.fail(this.messages.tooLarge, false);
      } else {
        task.hold(file);
        keep(task.facts.id, file);
      }
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
    for (const task of tasks) task.retry();
    this.#start();
  }

  retryAll() {
    this.retry(this.#retryable());
  }

  remove(tasks) {
    for (const task of tasks) {
      task.abort();
      task.line.remove();
      forget(task.facts.id);
    }
    this.tasks = this.tasks.filter((task) => !tasks.includes(task));
    this.changed();
  }

  /** Go on with what another page, or this one before it was left, has begun. */
  async restore() {
    const { user, open, tasks = [] } = stored();
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
      if (file) task.hold(file);
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
    for (const task of this.tasks) task.abort();
  }

  save() {
    const { user } = this.messages;
    const state = { user, open: this.part("box").open, tasks: this.tasks.map(({ facts }) => facts) };
    try {
      if (this.tasks.length === 0) sessionStorage.removeItem(STATE);
      else sessionStorage.setItem(STATE, JSON.stringify(state));
    } catch {
      // Storage is blocked or full: the list does not outlast this page.
    }
  }

  changed() {
    const total = this.tasks.length;
    const count = (state) => this.tasks.filter((task) => task.state === state).length;
    const done = count("done");
    const finished = this.#finished;
    const held = count("held");
    const failed = count("failed") + count("lost");
    const message = done === total ? "summaryAll" : held === total ? "summaryHeld" : "summary";
    this.part("summary").textContent = this.messages[message].replace("{done}", done).replace("{total}", total);
    this.part("failed").textContent = failed ? this.messages.summaryFailed.replace("{failed}", failed) : "";
    this.part("total").value = total ? done / total : 0;
    this.part("total").hidden = finished || held === total || total === 1;
    this.part("actions").hidden = total === 1 && held === 0; // its line has them
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
    this.save();
  }

  get #finished() {
    return this.tasks.every(({ state }) => FINISHED.has(state));
  }

  #retryable() {
    return this.tasks.filter(({ retryable }) => retryable);
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
    return this.tasks.find((task) => task.ready);
  }

  async #work() {
    this.#active += 1;
    for (let task = this.#next(); task; task = this.#next()) {
      await task.work(this.messages.api).catch(() => task.fail(this.messages.failed, true));
      this.changed();
      if (task.state === "done") forget(task.facts.id);
      if (!task.facts.alone && this.#finished) this.say(this.part("summary").textContent);
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
