// The history: moving and ticking by keyboard, and new predictions on top as they arrive.

import { tellTimes } from "./times.js";

const POLL_MS = 4_000;
const MOST_POLL_MS = 60_000; // while the site does not answer

const form = document.querySelector("[data-history]");
if (form) {
  const list = form.querySelector("[data-list]");
  moveByKeys(list);
  countTicks(form, list);
  if (form.dataset.watch) watch(form, list);
}

function moveByKeys(list) {
  const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    const links = [...list.querySelectorAll(".history-text")];
    const entry = document.activeElement.closest("li");
    const at = links.findIndex((link) => entry?.contains(link));
    if (event.key in steps) links[Math.min(links.length - 1, Math.max(0, at + steps[event.key]))]?.focus();
    else if (event.key === "x" && at >= 0) entry.querySelector("[name=selected]").click();
    else return;
    event.preventDefault();
  });
}

function countTicks(form, list) {
  const all = form.querySelector("[data-all]");
  const words = form.querySelector("[data-count]");
  const none = words.textContent;
  const boxes = () => [...list.querySelectorAll("[name=selected]")];
  const count = () => {
    const ticked = boxes().filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
    words.textContent = ticked ? form.dataset.selected.replace("{number}", ticked) : none;
  };
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    count();
  });
  list.addEventListener("change", count);
  window.addEventListener("pageshow", count); // a page that one comes back to keeps its ticks
}

/** Ask for the newest id; when it is another, take what this page would show now on top. */
function watch(form, list) {
  let wait = POLL_MS;
  const query = new URLSearchParams(location.search);
  query.set("limit", "1");
  const poll = async () => {
    try {
      if (!document.hidden) await look();
      wait = POLL_MS;
    } catch {
      wait = Math.min(MOST_POLL_MS, wait * 2);
    }
    setTimeout(poll, wait);
  };
  const look = async () => {
    const response = await fetch(`${form.dataset.watch}?${query}`, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status);
    const [newest] = (await response.json()).results;
    if (newest && !list.querySelector(`[data-id="${newest.id}"]`)) await takeNew(form, list);
  };
  setTimeout(poll, wait);
}

async function takeNew(form, list) {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const entries = [...page.querySelectorAll("[data-list] > li")];
  const fresh = entries.filter(({ dataset }) => !list.querySelector(`[data-id="${dataset.id}"]`));
  for (const entry of fresh) tellTimes(entry);
  list.prepend(...fresh.map((entry) => document.importNode(entry, true)));
  form.querySelector("[data-tools]").hidden = false;
  form.querySelector("[data-empty]")?.remove();
  form.querySelector("[data-live]").textContent = form.dataset.arrived.replace("{number}", fresh.length);
}
