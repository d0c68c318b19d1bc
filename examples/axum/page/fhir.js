// The FHIR API, as far as the page uses it.

import { Problem } from "./problem.js";

export class FhirServer {
  #base;
  #token;

  /** `base` is the URL that resource types are appended to, `token` a function that returns one. */
  constructor(base, token) {
    this.#base = base.trim().replace(/\/*$/, "");
    this.#token = token;
  }

  get base() {
    return this.#base;
  }

  /** Creates a Binary without content, and returns its id. */
  async createBinary(contentType, signal) {
    const binary = await this.#call("/Binary", {
      method: "POST",
      headers: { "Content-Type": "application/fhir+json" },
      body: JSON.stringify({ resourceType: "Binary", contentType }),
      signal,
    });
    return binary.id;
  }

  /** Creates a document whose content is that of a Binary. */
  async createDocument(id, { name, contentType }, signal) {
    const attachment = { contentType, title: name, url: `Binary/${id}` };
    await this.#call("/DocumentReference", {
      method: "POST",
      headers: { "Content-Type": "application/fhir+json" },
      body: JSON.stringify({
        resourceType: "DocumentReference",
        status: "current",
        content: [{ attachment }],
      }),
      signal,
    });
  }

  /** A Bundle of all resources of a type. */
  search(type, signal) {
    return this.#call(`/${type}`, { signal });
  }

  async readUrl(id, signal) {
    const { url } = await this.#presign(`/Binary/${id}/$presigned-url`, signal);
    return url;
  }

  /** The `url` to upload to, and the further `headers` that it wants, as far as the server tells. */
  writeUrl(id, signal) {
    return this.#presign(`/Binary/${id}/$presigned-url?upload=true`, signal);
  }

  async #presign(path, signal) {
    const { parameter } = await this.#call(path, { signal });
    const url = parameter.find(({ name }) => name === "url").valueUri;
    const headers = parameter
      .filter(({ name }) => name === "header")
      .map(({ part: [name, value] }) => [name.valueString, value.valueString]);
    return { url, headers: Object.fromEntries(headers) };
  }

  async #call(path, { headers, ...options }) {
    const { signal } = options;
    let response, body;
    try {
      response = await fetch(this.#base + path, {
        ...options,
        headers: {
          Accept: "application/fhir+json",
          Authorization: `Bearer ${this.#token().trim()}`,
          ...headers,
        },
      });
      body = await response.text();
    } catch (error) {
      signal.throwIfAborted();
      throw new Problem("The server cannot be reached.", `${this.#base}: ${error.message}`);
    }
    if (!response.ok) {
      throw Problem.fromOutcome(body, response.status);
    }
    try {
      return JSON.parse(body);
    } catch {
      throw new Problem("This is not a FHIR server.", `${this.#base} answers without JSON.`);
    }
  }
}
