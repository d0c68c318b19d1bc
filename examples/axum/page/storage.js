// The storage: what can be done with a presigned URL. No token is sent.

import { Problem } from "./problem.js";

/** The connection broke, or there is none. */
export class Unreachable extends Error {}

/** Sends the file. `onProgress` gets the part that is sent, from 0 to 1. */
export async function upload(url, file, headers, { signal, onProgress }) {
  const onSent = (bytes) => onProgress(bytes / file.size);
  try {
    await send("PUT", url, { headers, body: file, signal, onSent });
  } catch (error) {
    if (error instanceof Unreachable) {
      const details = "The connection broke, or the file can no longer be read.";
      throw new Problem("The upload was interrupted.", details);
    }
    throw error;
  }
}

/**
 * Sends a request, and returns a function that returns a header of its answer. `onSent` gets the
 * bytes that are sent.
 */
export function send(method, url, { headers = {}, body = null, signal, onSent = () => {} }) {
  // Not `fetch`, which does not tell how far an upload is.
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", ({ loaded }) => onSent(loaded));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        resolve((name) => request.getResponseHeader(name));
      } else {
        reject(Problem.fromOutcome(request.responseText, request.status));
      }
    });
    request.addEventListener("error", () => reject(new Unreachable()));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
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
