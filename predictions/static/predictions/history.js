// The history: navigation and selection by keyboard, and new predictions on top as they arrive.

import { localizeTimes } from "./times.js";

const POLL_MS = 4_000;
const MAX_POLL_MS = 60_000; // while requests fail

const form = document.querySelector("[data-history]");
if (form) {
  const list = form.querySelector("[data-list]");
  navigateByKeyboard(list);
  trackSelection(form, list);
  showProgress(form);
  if (form.dataset.watch) watch(form, list);
}

function navigateByKeyboard(list) {
  const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    const stops = list.querySelectorAll(".history-text, summary");
    const links = [...stops].filter((stop) => stop.checkVisibility());
    const entry = document.activeElement.closest("li");
    const index = links.findIndex((link) => entry?.contains(link));
    if (event.key in steps) links[Math.min(links.length - 1, Math.max(0, index + steps[event.key]))]?.focus();
    else if (event.key === "x" && links[index]?.matches(".history-text")) entry.querySelector("[name=selected]").click();
    else return;
    event.preventDefault();
  });
}

function trackSelection(form, list) {
  const all = form.querySelector("[data-all]");
  const label = form.querySelector("[data-count]");
  const selectAll = label.textContent;
  const boxes = () => [...list.querySelectorAll("[name=selected]")];
  const buttons = [...form.querySelectorAll("button[data-selected]")];
  const labels = new Map(buttons.map((button) => [button, button.textContent]));
  const update = () => {
    const selected = boxes().filter((box) => box.checked).length;
    all.checked = selected > 0 && selected === boxes().length;
    all.indeterminate = selected > 0 && !all.checked;
    label.textContent = selected ? form.dataset.selected.replace("{number}", selected) : selectAll;
    for (const button of buttons) button.textContent = selected ? button.dataset.selected : labels.get(button);
  };
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    update();
  });
  list.addEventListener("change", update);
  window.addEventListener("pageshow", update); // going back restores the selection
}

/** Count the rows of an export of all while it arrives, then save it. */
function showProgress(form) {
  const progress = form.querySelector("[data-progress]");
  form.addEventListener("submit", async (event) => {
    const { submitter } = event;
    if (submitter?.value === "delete" || form.querySelector("[name=selected]:checked")) return;
    event.preventDefault();
    const body = new FormData(form, submitter); // which leaves out a disabled button
    const buttons = form.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    try {
      const response = await fetch(form.getAttribute("action"), { method: "POST", body });
      if (!response.ok || response.redirected) throw new Error(response.status);
      const disposition = response.headers.get("Content-Disposition");
      const rows = await saveStream(response, /filename="(.+)"/.exec(disposition)[1], (count) => {
        progress.textContent = form.dataset.exporting.replace("{number}", count.toLocaleString(document.documentElement.lang));
      });
      progress.textContent = form.dataset.exported.replace("{number}", rows.toLocaleString(document.documentElement.lang));
    } catch {
      progress.textContent = form.dataset.failed;
    }
    form.querySelector("[data-live]").textContent = progress.textContent;
    for (const button of buttons) button.disabled = false;
  });
}

async function saveStream(response, name, show) {
  const parts = [];
  const csv = name.endsWith(".csv");
  const [header, end] = csv ? [1, 13] : [0, 10]; // the texts in a CSV have line feeds too
  let lines = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    for (let at = value.indexOf(end); at >= 0; at = value.indexOf(end, at + 1)) lines += 1;
    show(Math.max(0, lines - header));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: response.headers.get("Content-Type") }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return Math.max(0, lines - header);
}

/** Poll for the newest id; when it changes, prepend the new entries. */
function watch(form, list) {
  let wait = POLL_MS;
  const query = new URLSearchParams(location.search);
  query.set("limit", "1");
  const poll = async () => {
    try {
      if (!document.hidden) await check();
      wait = POLL_MS;
    } catch {
      wait = Math.min(MAX_POLL_MS, wait * 2);
    }
    setTimeout(poll, wait);
  };
  const check = async () => {
    const response = await fetch(`${form.dataset.watch}?${query}`, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status);
    const [newest] = (await response.json()).results;
    if (newest && !list.querySelector(`[data-id="${newest.id}"]`)) await prependNew(form, list);
  };
  setTimeout(poll, wait);
}

async function prependNew(form, list) {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const entries = [...page.querySelectorAll("[data-list] > li")];
  const fresh = entries.filter(({ dataset }) => !list.querySelector(`[data-id="${dataset.id}"]`));
  for (const entry of fresh) localizeTimes(entry);
  list.prepend(...fresh.map((entry) => document.importNode(entry, true)));
  form.querySelector("[data-tools]").hidden = false;
  document.querySelector("[data-empty]")?.remove();
  form.querySelector("[data-live]").textContent = form.dataset.arrived.replace("{number}", fresh.length);
}
