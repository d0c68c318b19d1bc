// One file on its way to the storage and back.

import { announce } from "./announcements.js";
import { Card } from "./card.js";
import { showDocuments } from "./documents.js";
import { percent } from "./format.js";
import { Problem } from "./problem.js";
import { PART, abandon, arrived, begin, isPassing, sendRest } from "./resumable.js";
import { checkReadable, upload } from "./storage.js";
import { forget, remember } from "./unfinished.js";

export class Transfer {
  /** `null` as long as it is to be chosen again. */
  #file;
  #name;
  #size;
  #lastModified;
  #contentType;
  #currentServer;
  #card;
  /** The server that has the Binary, and its id, once it is created. */
  #server = null;
  #id = null;
  /** The URL of its upload, if that is in parts. */
  #upload = null;
  /** The part that is sent, from 0 to 1. */
  #sent = 0;
  #isStored = false;
  #isListed = false;
  #abort = new AbortController();

  /** `currentServer` returns the server that the user has chosen, `chooseFile` asks for a file. */
  constructor(file, { currentServer, chooseFile }) {
    this.#file = file;
    this.#name = file.name;
    this.#size = file.size;
    this.#lastModified = file.lastModified;
    this.#contentType = file.type || "application/octet-stream";
    this.#currentServer = currentServer;
    this.#card = new Card(file, this.#contentType, {
      onRun: () => this.run(),
      onPause: () => this.#pause(),
      onCancel: () => this.#cancel(),
      onChoose: chooseFile,
      onWrite: () => this.#writeUrl(AbortSignal.timeout(30_000)),
    });
  }

  /** One that another page has begun: see `unfinished.js`. */
  static interrupted({ id, upload, ...file }, server, options) {
    const transfer = new Transfer(file, options);
    transfer.#file = null;
    transfer.#server = server;
    transfer.#setId(id);
    transfer.#upload = upload;
    return transfer;
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
        return;
      }
      const problem = Problem.from(error);
      this.#card.showProblem(problem);
      this.#announce(problem.message);
    }
  }

  /** Shows how far an interrupted upload has come, if it is there. */
  async isThere() {
    try {
      this.#sent = (await arrived(this.#upload, this.#abort.signal)) / this.#size;
    } catch ({ status }) {
      if (status && !isPassing(status)) {
        this.#forget();
        return false;
      }
    }
    this.#card.showInterrupted(this.#sent);
    if (this.#sent === 1) {
      this.#forget();
      this.#isStored = true;
      this.run();
    }
    return true;
  }

  /** True of an interrupted upload of this file. */
  isOf({ name, size, lastModified }) {
    const isSame =
      name === this.#name && size === this.#size && lastModified === this.#lastModified;
    return isSame && this.#upload !== null;
  }

  /** Goes on with an interrupted upload. */
  goOn(file) {
    this.#file = file;
    this.run();
  }

  #pause() {
    this.#abort.abort();
    this.#card.showPaused(this.#sent);
    this.#announce("paused");
  }

  #cancel() {
    this.#abort.abort();
    if (this.#upload) {
      // An upload that cannot be removed now expires.
      abandon(this.#upload).catch(() => {});
      this.#forget();
    }
    this.#announce("cancelled");
    if (this.#file) {
      this.#card.showCancelled();
    } else {
      this.#card.remove();
    }
  }

  /** Has the server list the file among its documents. Not every server has any. */
  async #list(signal) {
    if (this.#isListed) {
      return;
    }
    const attachment = { name: this.#name, contentType: this.#contentType };
    try {
      await this.#server.createDocument(this.#id, attachment, signal);
      this.#isListed = true;
    } catch {
      return;
    }
    await showDocuments(this.#server);
  }

  async #send(signal) {
    if (!this.#upload) {
      this.#sent = 0;
      this.#showSent("Asking for a URL");
      this.#announce("sending");
      if (!this.#id) {
        this.#server = this.#currentServer();
        this.#setId(await this.#server.createBinary(this.#contentType, signal));
      }
      // Each try needs one of its own: the last may have expired, or may have written.
      const { url, headers } = await this.#writeUrl(signal);
      if (this.#size > PART) {
        this.#upload = await begin(url, this.#file, this.#options(signal));
      }
      if (!this.#upload) {
        return upload(url, this.#file, headers, this.#options(signal));
      }
      this.#remember();
    } else {
      this.#showSent(`${percent(this.#sent)} sent`);
      this.#announce("sending again");
    }
    try {
      await sendRest(this.#upload, this.#file, this.#options(signal));
    } catch (error) {
      if (error.status) {
        // It is of no use any more.
        this.#forget();
      }
      throw error;
    }
    this.#forget();
  }

  #setId(id) {
    this.#id = id;
    this.#card.showBinary(id);
  }

  /** A write URL for the next version, and the headers of its upload. */
  async #writeUrl(signal) {
    const { url, headers } = await this.#server.writeUrl(this.#id, signal);
    return { url, headers: { "content-type": this.#contentType, ...headers } };
  }

  /** For the time in which the file is on its way. */
  #options(signal) {
    let isWaiting = false;
    const onProgress = (sent) => {
      const quarters = Math.floor(sent * 4);
      if (quarters > Math.floor(this.#sent * 4)) {
        this.#announce(`${percent(quarters / 4)} sent`);
      }
      this.#sent = sent;
      isWaiting = false;
      this.#showSent(sent < 1 ? `${percent(sent)} sent` : "Being stored");
    };
    const onWaiting = () => {
      const what = navigator.onLine ? "server" : "network";
      this.#showSent(`Waiting for the ${what}, ${percent(this.#sent)} sent`);
      if (!isWaiting) {
        isWaiting = true;
        this.#announce(`waiting for the ${what}`);
      }
    };
    return { signal, onProgress, onWaiting };
  }

  #showSent(text) {
    this.#card.showSending(this.#sent, text, { canPause: this.#upload !== null });
  }

  #remember() {
    remember({
      server: this.#server.base,
      id: this.#id,
      upload: this.#upload,
      name: this.#name,
      size: this.#size,
      lastModified: this.#lastModified,
      type: this.#contentType,
    });
  }

  #forget() {
    forget(this.#upload);
    this.#upload = null;
  }

  #announce(text) {
    announce(`${this.#name}: ${text}`);
  }
}
