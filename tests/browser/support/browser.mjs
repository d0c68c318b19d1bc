// A browser, and the demo page in it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

import { save } from "./files.mjs";
import { startServer } from "./server.mjs";

const args = [
  // Chromium refuses to run as root with its sandbox, and CI is root.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
});
after(() => browser?.close());

/**
 * A test in the browser. `options` are those of Playwright's `newContext`, and a pattern of
 * errors to expect. At its end the console must have had no errors, except for
 * `expectedErrors`: the browser logs each answer with a status of 400 or above.
 */
export function browserTest(name, options, run = options) {
  const { expectedErrors = /^$/, ...context } = options;
  test(name, async (t) => {
    const errors = [];
    const newPage = async () => {
      const opened = await browser.newContext(context);
      opened.setDefaultTimeout(60_000);
      t.after(() => opened.close());
      const page = await opened.newPage();
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error" && !expectedErrors.test(message.text())) {
          errors.push(message.text());
        }
      });
      return page;
    };
    await run({ t, newPage });
    assert.deepEqual(errors, [], "errors in the console");
  });
}

/** Opens the demo page of a new server. */
export async function openDemo({ t, newPage }, settings) {
  const server = await startServer(t, settings);
  const page = await newPage();
  await page.goto(server.origin);
  return { page, origin: server.origin };
}

/** The part of the page that is about one file. */
export function card(page, name) {
  return page.getByRole("listitem").filter({ has: page.getByRole("heading", { name, exact: true }) });
}

export async function choose(page, ...files) {
  await page.getByLabel("Choose files").setInputFiles(await Promise.all(files.map(save)));
}

/** The read URL of a file, once it is stored. */
export async function readUrl(page, name) {
  const field = card(page, name).getByLabel("Read URL");
  await field.waitFor();
  return field.inputValue();
}
