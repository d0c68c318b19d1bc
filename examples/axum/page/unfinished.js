// The uploads that are not finished, beyond a reload of the page: their URLs and whose they are, but
// no token.

const KEY = "unfinished uploads";

/** Those that have not expired. */
export function unfinished() {
  const isValid = ({ upload }) =>
    Number(new URL(upload).searchParams.get("Expires")) * 1000 > Date.now();
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]").filter(isValid);
  } catch {
    return [];
  }
}

export function remember(entry) {
  save([...unfinished(), entry]);
}

export function forget(upload) {
  save(unfinished().filter((entry) => entry.upload !== upload));
}

function save(entries) {
  try {
    localStorage.setItem(KEY, JSON.stringify(entries));
  } catch {
    // If nothing can be stored, an upload ends with its page.
  }
}
