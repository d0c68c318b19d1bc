// Uploads that go on where they were cut: tus 1.0, as far as the page uses it. No token is sent.

import { Problem } from "./problem.js";
import { Unreachable, send } from "./storage.js";

/** The most that one request brings, in bytes. Files that are longer are sent in parts. */
export const PART = 8 * 1024 * 1024;

const TUS = { "Tus-Resumable": "1.0.0" };

/** In milliseconds. */
const PAUSE = { first: 1000, longest: 30_000 };

/** True of a status after which the page tries again by itself. */
export const isPassing = (status) => [408, 409, 429, 500, 502, 503, 504].includes(status);

/** Begins an upload at a write URL, and returns its own URL: `null` if the server knows no such. */
export async function begin(url, file, { signal, onWaiting }) {
  try {
    const headers = { ...TUS, "Upload-Length": file.size };
    return await patiently({ signal, onWaiting }, async ({ signal }) => {
      const header = await send("POST", url, { headers, signal });
      return new URL(header("Location"), url).href;
    });
  } catch (error) {
    if ([405, 501].includes(error.status)) {
      return null;
    }
    throw error;
  }
}

/** The bytes of an upload that have arrived. */
export async function arrived(upload, signal) {
  // Unlike HEAD it comes with the reason of a refusal.
  const header = await send("GET", upload, { headers: TUS, signal });
  return Number(header("Upload-Offset"));
}

/** Sends what has not arrived yet. `onProgress` gets the part that is sent, from 0 to 1. */
export function sendRest(upload, file, { signal, onProgress, onWaiting }) {
  return patiently({ signal, onWaiting }, async ({ signal, onSuccess }) => {
    let offset = await arrived(upload, signal);
    while (offset < file.size) {
      const body = file.slice(offset, offset + PART);
      const headers = {
        ...TUS,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": offset,
      };
      const start = offset;
      const onSent = (bytes) => onProgress((start + bytes) / file.size);
      try {
        const header = await send("PATCH", upload, { headers, body, signal, onSent });
        offset = Number(header("Upload-Offset"));
      } catch (error) {
        await checkFile(body);
        throw error;
      }
      onSuccess();
    }
  });
}

/** Has the server remove what has arrived. */
export async function abandon(upload) {
  await fetch(upload, { method: "DELETE", headers: TUS, keepalive: true });
}

/** Throws the reason if the file cannot be read any more: for a browser that is a broken connection. */
async function checkFile(part) {
  try {
    await part.slice(0, 1).arrayBuffer();
  } catch (error) {
    throw new Problem("The file can no longer be read.", error.message);
  }
}

/** Does something until it does not fail for a reason that passes. */
async function patiently({ signal, onWaiting }, action) {
  let pause = PAUSE.first;
  const onSuccess = () => (pause = PAUSE.first);
  for (;;) {
    // A connection without a network does not break: it hangs.
    const offline = new AbortController();
    const onOffline = () => offline.abort(new Unreachable());
    addEventListener("offline", onOffline);
    try {
      const either = AbortSignal.any([signal, offline.signal]);
      return await action({ signal: either, onSuccess });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Unreachable || isPassing(error.status))) {
        throw error;
      }
    } finally {
      removeEventListener("offline", onOffline);
    }
    onWaiting();
    await online(pause, signal);
    pause = Math.min(2 * pause, PAUSE.longest);
  }
}

/** Waits until the network is back, but no longer than so many milliseconds. */
async function online(milliseconds, signal) {
  const done = new AbortController();
  let timer;
  await new Promise((resolve) => {
    addEventListener("online", resolve, { signal: done.signal });
    signal.addEventListener("abort", resolve, { signal: done.signal });
    timer = setTimeout(resolve, milliseconds);
  });
  clearTimeout(timer);
  done.abort();
  signal.throwIfAborted();
}
