// One file on its way to the storage and back.

import { announce } from "./announcements.js";
import { Card } from "./card.js";
import { showDocuments } from "./documents.js";
import { percent } from "./format.js";
import { Problem } from "./problem.js";
import { checkReadable, upload } from "./storage.js";

export class Transfer {
  #file;
  #contentType;
  #currentServer;
  #card;
  /** Where the Binary is, and its id, once it is created. */
  #server = null;
  #id = null;
  #isStored = false;
  #isListed = false;
  #abort = null;

  /** `currentServer` returns the server that the user has chosen. */
  constructor(file, currentServer) {
    this.#file = file;
    this.#contentType = file.type || "application/octet-stream";
    this.#currentServer = currentServer;
    this.#card = new Card(file, this.#contentType, {
      onRun: () => this.run(),
      onCancel: () => this.#abort.abort(),
    });
  }

  get element() {
    return this.#card.element;
  }

  /** Does what is still to be done until the content is shown. A failure is shown, not thrown. */
  async run() {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    try {
      if (!this.#isStored) {
        await this.#send(signal);
        this.#isStored = true;
      }
      const url = await this.#server.readUrl(this.#id, signal);
      await checkReadable(url, signal);
      this.#card.showStored(url);
      this.#announce("stored");
      await this.#list(signal);
    } catch (error) {
      if (signal.aborted) {
        this.#card.showCancelled();
        this.#announce("cancelled");
      } else {
        const problem = Problem.from(error);
        this.#card.showProblem(problem);
        this.#announce(problem.message);
      }
    }
  }

  /** Has the server list the file among its documents. Not every server has any. */
  async #list(signal) {
    if (this.#isListed) {
      return;
    }
    const attachment = { name: this.#file.name, contentType: this.#contentType };
    try {
      await this.#server.createDocument(this.#id, attachment, signal);
      this.#isListed = true;
    } catch {
      return;
    }
    await showDocuments(this.#server);
  }

  async #send(signal) {
    this.#card.showSending(0, "Asking for a URL");
    this.#announce("sending");
    if (!this.#id) {
      this.#server = this.#currentServer();
      this.#id = await this.#server.createBinary(this.#contentType, signal);
    }
    // Each try needs one of its own: the last may have expired, or may have written.
    const { url, headers } = await this.#server.writeUrl(this.#id, signal);

    let quarters = 0;
    const onProgress = (part) => {
      this.#card.showSending(part, part < 1 ? `${percent(part)} sent` : "Being stored");
      if (Math.floor(part * 4) > quarters) {
        quarters = Math.floor(part * 4);
        this.#announce(`${percent(quarters / 4)} sent`);
      }
    };
    const allHeaders = { "content-type": this.#contentType, ...headers };
    await upload(url, this.#file, allHeaders, { signal, onProgress });
  }

  #announce(text) {
    announce(`${this.#file.name}: ${text}`);
  }
}
