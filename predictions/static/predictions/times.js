// Shows times in the visitor's language, with their age. The zone stays the site's, which is also
// that of the filters. In rows a recent time is its age alone; the title says all.

const { lang: language, dataset: { timeZone } } = document.documentElement;
const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const MAX_RELATIVE_DAYS = 30;

function formatAge(moment) {
  const seconds = (moment - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return relative.format(Math.round(seconds / length), unit);
}

/** Localise the times within `root`; the original stays as the title. */
export function localizeTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    time.title ||= time.textContent;
    const recent = Date.now() - moment < MAX_RELATIVE_DAYS * 86_400_000;
    const parts = recent ? [formatAge(moment)] : [];
    if (!recent || !time.closest("[data-list]")) parts.push(exact.format(moment)); // rows have little room
    time.textContent = parts.join(" · ");
  }
}

localizeTimes(document);
setInterval(() => localizeTimes(document), 60_000);
