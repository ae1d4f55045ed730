// The files of dropped or chosen folders, in the order in which people would list them.

const ENDINGS = document.querySelector("[data-endings]").dataset.endings.split(" ");
const { compare } = new Intl.Collator(document.documentElement.lang, { numeric: true });
const pathOf = (file) => file.webkitRelativePath || file.name;

/** Return a folder's files that may be pictures, in order; others are of no interest there. */
export function readable(files) {
  return files
    .filter(({ name }) => ENDINGS.some((ending) => name.toLowerCase().endsWith(ending)) && !name.startsWith("."))
    .sort((a, b) => compare(pathOf(a), pathOf(b)));
}

const list = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
const open = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

/** Return the files of dropped entries and, in order, of the folders among them. */
export async function filesOf(entries) {
  const files = [];
  for (const entry of entries) {
    if (entry.isFile) files.push(await open(entry));
    else files.push(...readable(await filesBelow(entry)));
  }
  return files;
}

async function filesBelow(folder) {
  const reader = folder.createReader();
  const entries = [];
  // A call returns at most 100 of them.
  for (let more = await list(reader); more.length > 0; more = await list(reader)) entries.push(...more);
  entries.sort((a, b) => compare(a.name, b.name));
  const files = [];
  for (const entry of entries) files.push(...(entry.isFile ? [await open(entry)] : await filesBelow(entry)));
  return files;
}
