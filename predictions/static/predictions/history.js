// The history: navigation and selection by keyboard, and new predictions on top as they arrive.

import { localizeTimes } from "./times.js";

const POLL_MS = 4_000;
const MAX_POLL_MS = 60_000; // while requests fail

const form = document.querySelector("[data-history]");
if (form) {
  const list = form.querySelector("[data-list]");
  navigateByKeyboard(list);
  trackSelection(form, list);
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
  const update = () => {
    const selected = boxes().filter((box) => box.checked).length;
    all.checked = selected > 0 && selected === boxes().length;
    all.indeterminate = selected > 0 && !all.checked;
    label.textContent = selected ? form.dataset.selected.replace("{number}", selected) : selectAll;
  };
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    update();
  });
  list.addEventListener("change", update);
  window.addEventListener("pageshow", update); // going back restores the selection
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
  form.querySelector("[data-empty]")?.remove();
  form.querySelector("[data-live]").textContent = form.dataset.arrived.replace("{number}", fresh.length);
}
