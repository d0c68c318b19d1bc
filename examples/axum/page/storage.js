// The storage: what can be done with a presigned URL. No token is sent.

import { Problem } from "./problem.js";

/** Sends the file. `onProgress` gets the part that is sent, from 0 to 1. */
export function upload(url, file, headers, { signal, onProgress }) {
  // Not `fetch`, which does not tell how far an upload is.
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded / total));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        resolve();
      } else {
        reject(Problem.fromOutcome(request.responseText, request.status));
      }
    });
    const details = "The connection broke, or the file can no longer be read.";
    request.addEventListener("error", () => {
      reject(new Problem("The upload was interrupted.", details));
    });
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

/** Throws the reason if the URL cannot be read from: an element that shows it cannot tell. */
export async function checkReadable(url, signal) {
  let response;
  try {
    response = await fetch(url, { headers: { Range: "bytes=0-0" }, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new Problem("The storage cannot be reached.", error.message);
  }
  const body = await response.text();
  if (!response.ok) {
    throw Problem.fromOutcome(body, response.status);
  }
}
