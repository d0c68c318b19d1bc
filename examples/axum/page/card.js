// What the page shows of one file.

import { announce } from "./announcements.js";
import { copyOnPress } from "./clipboard.js";
import { contentElement, opensInTab } from "./content.js";
import { countDown } from "./expiry.js";
import { bytes, shellWord } from "./format.js";

export class Card {
  element = document.getElementById("card").content.firstElementChild.cloneNode(true);
  #name;
  #contentType;
  #onRun;
  #onCancel;
  #stopCountDown = () => {};

  /** `onRun` is called to try again, and to get a new URL. */
  constructor({ name, size }, contentType, { onRun, onCancel }) {
    this.#name = name;
    this.#contentType = contentType;
    this.#onRun = onRun;
    this.#onCancel = onCancel;

    this.#part("h2").textContent = name;
    this.#part(".facts").textContent = `${contentType}, ${bytes(size)}`;
    this.#part("progress").setAttribute("aria-label", `Sent of ${name}`);

    const url = this.#part(".url");
    url.addEventListener("focus", () => url.select());
    this.#part(".renew").addEventListener("click", onRun);
    copyOnPress(this.#part(".copy-url"), "URL", () => url.value);
    copyOnPress(
      this.#part(".copy-curl"),
      "curl command",
      () => `curl -f -o ${shellWord(name)} ${shellWord(url.value)}`,
    );
    const open = this.#part(".open");
    if (opensInTab(contentType)) {
      open.textContent = "Open";
    } else {
      open.textContent = "Download";
      open.download = name;
    }
  }

  /** `part` is from 0 to 1. */
  showSending(part, text) {
    this.#part("progress").value = part;
    this.#part("progress").hidden = false;
    this.#part(".state").textContent = text;
    this.#part(".sending").hidden = false;
    this.#part(".problem").hidden = true;
    this.#setAction("Cancel", this.#onCancel);
  }

  showCancelled() {
    this.#part("progress").hidden = true;
    this.#part(".state").textContent = "Cancelled";
    this.#setAction("Try again", this.#onRun);
  }

  showProblem({ message, details }) {
    this.#part(".message").textContent = message;
    this.#part(".details").textContent = details;
    this.#part(".sending").hidden = true;
    this.#part(".problem").hidden = false;
    this.#setAction("Try again", this.#onRun);
  }

  showStored(url) {
    const content = contentElement(url, this.#contentType, this.#name);
    this.#part(".content").replaceChildren(...(content ? [content] : []));
    this.#part(".url").value = url;
    this.#part(".open").href = url;
    this.#part(".stored").hidden = false;
    this.#setExpired(false);

    // What has the focus may be about to vanish.
    const action = this.#part(".action");
    if ([action, this.#part(".renew")].includes(document.activeElement)) {
      this.#part(".copy-url").focus();
    }
    action.hidden = true;
    this.#part(".sending").hidden = true;
    this.#part(".problem").hidden = true;

    this.#stopCountDown();
    this.#stopCountDown = countDown(this.#part(".expiry"), url, () => {
      this.#setExpired(true);
      announce(`${this.#name}: the URL has expired`);
    });
  }

  #setExpired(isExpired) {
    this.#part(".renew").hidden = !isExpired;
    for (const use of this.element.querySelectorAll(".use")) {
      use.hidden = isExpired;
    }
  }

  /** It is one button, so that the focus stays on it. */
  #setAction(label, onPress) {
    const action = this.#part(".action");
    action.textContent = label;
    action.setAttribute("aria-label", `${label}: ${this.#name}`);
    action.onclick = onPress;
    action.hidden = false;
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }
}
