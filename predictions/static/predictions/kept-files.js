// Files that are still to be sent, in IndexedDB: they outlast the page on which they were chosen.
// Where that is not possible, they are lost with it, which the list then says.

const STORE = "files";
const KEPT_MS = 12 * 3_600_000; // an Idempotency-Key is good for twice as long

let opened;
function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("uploads", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function run(mode, act) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

const orNothing = (promise) => promise.catch(() => undefined);

export const keep = (id, file) => orNothing(run("readwrite", (store) => store.put({ file, at: Date.now() }, id)));
export const forget = (id) => orNothing(run("readwrite", (store) => store.delete(id)));
export const find = (id) => orNothing(run("readonly", (store) => store.get(id))).then((row) => row?.file);

/** Forget the files of tabs that were closed long ago. */
export function forgetOld() {
  return orNothing(run("readwrite", (store) => {
    store.openCursor().onsuccess = ({ target: { result: cursor } }) => {
      if (!cursor) return;
      if (cursor.value.at < Date.now() - KEPT_MS) cursor.delete();
      cursor.continue();
    };
  }));
}
