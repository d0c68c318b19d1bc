// Ids and write URLs, to try uploads by hand.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { promisify } from "node:util";

import { browserTest, card, choose, openDemo, readUrl } from "./support/browser.mjs";
import { file, picture, save } from "./support/files.mjs";

const readClipboard = { permissions: ["clipboard-read", "clipboard-write"] };

browserTest("a file shows the id of its Binary, also if it cannot be stored", { expectedErrors: /400/ }, async (context) => {
  const { page, origin } = await openDemo(context);
  await choose(page, picture, file("empty.txt", ""));
  await card(page, "empty.txt").getByText("The file is empty.").waitFor();
  await readUrl(page, "picture.png");
  for (const [name, contentType] of [["picture.png", "image/png"], ["empty.txt", "text/plain"]]) {
    const reference = await card(page, name).locator(".binary").textContent();
    assert.match(reference, /^Binary\/[A-Za-z0-9.-]+$/);
    const headers = { accept: "application/fhir+json", authorization: "Bearer demo" };
    const binary = await fetch(`${origin}/fhir/R4/${reference}`, { headers });
    assert.equal((await binary.json()).contentType, contentType);
  }
});

browserTest("a write URL can be copied, and used once by hand", readClipboard, async (context) => {
  const { page, origin } = await openDemo(context);
  await choose(page, file("note.txt", "first"));
  const first = await readUrl(page, "note.txt");
  const shown = card(page, "note.txt");
  await shown.getByRole("button", { name: "Write URL", exact: true }).click();
  const field = shown.getByLabel("Write URL, for one upload of the next version");
  await field.waitFor();
  await shown.getByRole("button", { name: "Copy write URL" }).click();
  await shown.getByRole("button", { name: "Copied" }).waitFor();
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  assert.equal(await copied(), await field.inputValue());

  await shown.getByRole("button", { name: "Copy upload command" }).click();
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith("curl "));
  const folder = dirname(await save(file("note.txt", "second")));
  await promisify(execFile)("bash", ["-c", await copied()], { cwd: folder });
  const reference = await shown.locator(".binary").textContent();
  const headers = { accept: "text/plain", authorization: "Bearer demo" };
  const latest = await fetch(`${origin}/fhir/R4/${reference}`, { headers });
  assert.equal(await latest.text(), "second");
  // A read URL goes on reading its version.
  assert.equal(await (await fetch(first)).text(), "first");
  const second = await fetch(await field.inputValue(), {
    method: "PUT",
    headers: { "content-type": "text/plain" },
    body: "third",
  });
  assert.equal(second.status, 412);
});

browserTest("a write URL that is refused says so, and one that has expired is not offered", { expectedErrors: /403/ }, async (context) => {
  const { page, origin } = await openDemo(context, { PRESIGN_TTL: "60" });
  await page.clock.install();
  await page.goto(origin);
  await choose(page, picture);
  await readUrl(page, "picture.png");
  const shown = card(page, "picture.png");
  const button = shown.getByRole("button", { name: "Write URL", exact: true });
  await page.getByLabel("Bearer token").fill("reader");
  await button.click();
  await shown.getByText("This token may only read.").waitFor();
  assert.equal(await shown.getByRole("button", { name: "Copy write URL" }).count(), 0);

  await page.getByLabel("Bearer token").fill("demo");
  await button.click();
  await shown.getByRole("button", { name: "Copy write URL" }).waitFor();
  await page.clock.fastForward("01:01");
  await shown.locator(".write-expiry").getByText("Expired").waitFor();
  assert.equal(await shown.getByRole("button", { name: "Copy write URL" }).count(), 0);
});

browserTest("a server that does not answer is said to take too long", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, picture);
  await readUrl(page, "picture.png");
  await page.evaluate(() => {
    AbortSignal.timeout = () => AbortSignal.abort(new DOMException("", "TimeoutError"));
  });
  const shown = card(page, "picture.png");
  await shown.getByRole("button", { name: "Write URL", exact: true }).click();
  await shown.getByText("The server takes too long to answer.").waitFor();
});
