// One file, as the page shows it.

import { announce } from "./announcements.js";
import { copyOnPress } from "./clipboard.js";
import { contentElement, opensInTab } from "./content.js";
import { countDown } from "./expiry.js";
import { bytes, percent, shellWord } from "./format.js";
import { offerWriteUrl } from "./writing.js";

export class Card {
  element = document.getElementById("card").content.firstElementChild.cloneNode(true);
  #name;
  #contentType;
  #handlers;
  #stopCountDown = () => {};

  /**
   * `handlers.onRun` is called to go on, to try again, and to get a new URL; `onChoose` when the
   * file is to be chosen again; `onWrite` returns a write URL for the next version.
   */
  constructor({ name, size }, contentType, handlers) {
    this.#name = name;
    this.#contentType = contentType;
    this.#handlers = handlers;

    this.#part("h2").textContent = name;
    this.#part(".facts").textContent = `${contentType}, ${bytes(size)}`;
    this.#part("progress").setAttribute("aria-label", `Sent of ${name}`);

    const url = this.#part(".url");
    url.addEventListener("focus", () => url.select());
    this.#part(".renew").addEventListener("click", handlers.onRun);
    copyOnPress(this.#part(".copy-url"), "URL", () => url.value);
    copyOnPress(
      this.#part(".copy-curl"),
      "curl command",
      () => `curl -f -o ${shellWord(name)} ${shellWord(url.value)}`,
    );
    offerWriteUrl({
      button: this.#part(".write"),
      section: this.#part(".writing"),
      name,
      ask: handlers.onWrite,
    });
    const open = this.#part(".open");
    if (opensInTab(contentType)) {
      open.textContent = "Open";
    } else {
      open.textContent = "Download";
      open.download = name;
    }
  }

  /** The id that the file's Binary has. */
  showBinary(id) {
    this.#part(".binary").textContent = `Binary/${id}`;
    this.#part(".binary").hidden = false;
  }

  /** `part` is from 0 to 1. */
  showSending(part, text, { canPause }) {
    this.#showProgress(part, text);
    this.#setButton(".pause", canPause ? "Pause" : null, this.#handlers.onPause);
    this.#setButton(".action", "Cancel", this.#handlers.onCancel);
  }

  showPaused(part) {
    this.#showProgress(part, `Paused at ${percent(part)}`);
    this.#setButton(".pause", "Resume", this.#handlers.onRun);
    this.#setButton(".action", "Cancel", this.#handlers.onCancel);
  }

  /** Of a page that is no more the file is not known, but how much of it was sent. */
  showInterrupted(part) {
    this.#showProgress(part, `Interrupted at ${percent(part)}. Choose the file again to go on.`);
    this.#setButton(".pause", "Choose file", this.#handlers.onChoose);
    this.#setButton(".action", "Cancel", this.#handlers.onCancel);
  }

  showCancelled() {
    this.#part("progress").hidden = true;
    this.#part(".state").textContent = "Cancelled";
    this.#setButton(".action", "Try again", this.#handlers.onRun);
    this.#setButton(".pause", null);
  }

  remove() {
    this.element.remove();
    document.getElementById("files").focus();
  }

  showProblem({ message, details }) {
    this.#part(".message").textContent = message;
    this.#part(".details").textContent = details;
    this.#part(".sending").hidden = true;
    this.#part(".problem").hidden = false;
    this.#setButton(".action", "Try again", this.#handlers.onRun);
    this.#setButton(".pause", null);
  }

  showStored(url) {
    const content = contentElement(url, this.#contentType, this.#name);
    this.#part(".content").replaceChildren(...(content ? [content] : []));
    this.#part(".url").value = url;
    this.#part(".open").href = url;
    this.#part(".stored").hidden = false;
    this.#setExpired(false);

    // The element that has the focus may be about to vanish.
    const action = this.#part(".action");
    const pause = this.#part(".pause");
    if ([action, pause, this.#part(".renew")].includes(document.activeElement)) {
      this.#part(".copy-url").focus();
    }
    action.hidden = true;
    pause.hidden = true;
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
    for (const use of this.element.querySelectorAll(".stored > footer .use")) {
      use.hidden = isExpired;
    }
  }

  #showProgress(part, text) {
    this.#part("progress").value = part;
    this.#part("progress").hidden = false;
    this.#part(".state").textContent = text;
    this.#part(".sending").hidden = false;
    this.#part(".problem").hidden = true;
  }

  /** Another button is the same element with another name, so that the focus stays on it. */
  #setButton(selector, label, onPress) {
    const button = this.#part(selector);
    if (!label) {
      if (button === document.activeElement) {
        this.#part(".action").focus();
      }
      button.hidden = true;
      return;
    }
    button.hidden = false;
    button.textContent = label;
    button.setAttribute("aria-label", `${label}: ${this.#name}`);
    button.onclick = onPress;
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }
}
