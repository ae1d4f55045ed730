// Times as the reader's own clock and language say them, with how long ago that was.

const language = document.documentElement.lang;
const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const DAYS_SAID_AS_AGO = 30;

function ago(moment) {
  const seconds = (moment - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return relative.format(Math.round(seconds / length), unit);
}

/** Say the times within `root`; the exact one in UTC stays as the title. */
export function tellTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    time.title ||= time.textContent;
    const recent = Date.now() - moment < DAYS_SAID_AS_AGO * 86_400_000;
    const words = exact.format(moment);
    time.textContent = recent ? `${ago(moment)} · ${words}` : words;
  }
}

tellTimes(document);
setInterval(() => tellTimes(document), 60_000);
