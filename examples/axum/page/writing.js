// A write URL to try by hand.

import { announce } from "./announcements.js";
import { copyOnPress } from "./clipboard.js";
import { countDown } from "./expiry.js";
import { shellWord } from "./format.js";
import { Problem } from "./problem.js";

/**
 * Has a button ask for a write URL, which the section then shows. `ask` returns the `url` and the
 * `headers` of its upload.
 */
export function offerWriteUrl({ button, section, name, ask }) {
  const url = section.querySelector(".write-url");
  const state = section.querySelector(".write-expiry");
  let headers = {};
  let stopCountDown = () => {};

  const setUsable = (isUsable) => {
    for (const use of section.querySelectorAll(".use")) {
      use.hidden = !isUsable;
    }
  };
  url.addEventListener("focus", () => url.select());
  copyOnPress(section.querySelector(".copy-write-url"), "write URL", () => url.value);
  copyOnPress(section.querySelector(".copy-upload"), "upload command", () => {
    const lines = Object.entries(headers).map(([name, value]) => `-H ${shellWord(`${name}: ${value}`)}`);
    return ["curl -f -T", shellWord(name), ...lines, shellWord(url.value)].join(" ");
  });

  button.addEventListener("click", async () => {
    stopCountDown();
    try {
      const answer = await ask();
      headers = answer.headers;
      url.value = answer.url;
      setUsable(true);
      stopCountDown = countDown(state, url.value, () => setUsable(false));
      announce(`${name}: write URL ready`);
    } catch (error) {
      setUsable(false);
      state.textContent = Problem.from(error).text;
      announce(`${name}: ${state.textContent}`);
    }
    section.hidden = false;
  });
}
