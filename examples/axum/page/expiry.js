// For how long a URL is valid.

import { duration } from "./format.js";

/** Shows the time until the URL expires. Returns what stops it. */
export function countDown(element, url, onExpired) {
  const expires = Number(new URL(url).searchParams.get("Expires")) * 1000;
  let timer;
  const tick = () => {
    const left = expires - Date.now();
    if (left <= 0) {
      element.textContent = "Expired";
      onExpired();
      return;
    }
    element.textContent = `Expires in ${duration(left)}`;
    timer = setTimeout(tick, left % 1000 || 1000);
  };
  tick();
  return () => clearTimeout(timer);
}
