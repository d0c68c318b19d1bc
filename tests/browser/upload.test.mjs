// Sending files: progress, cancelling, trying again.

import assert from "node:assert/strict";

import { browserTest, card, choose, openDemo, readUrl } from "./support/browser.mjs";
import { file, largeFile, picture, save } from "./support/files.mjs";
import { openBehindGate } from "./support/gate.mjs";

browserTest("an upload shows its progress, can be cancelled, and then be tried again", async (context) => {
  const { page, gate } = await openBehindGate(context);
  await choose(page, largeFile);
  const large = card(page, "large.bin");
  await page.waitForFunction(() => {
    const { value } = document.querySelector("progress");
    return value > 0 && value < 1;
  });
  assert.match(await large.locator(".state").textContent(), /^\d\d? % sent$/);

  await large.getByRole("button", { name: "Cancel" }).click();
  await large.getByText("Cancelled").waitFor();
  assert.equal(await large.getByRole("progressbar").count(), 0);

  gate.open();
  await large.getByRole("button", { name: "Try again" }).click();
  const answer = await fetch(await readUrl(page, "large.bin"));
  assert.equal(answer.headers.get("content-type"), "application/octet-stream");
  assert.ok(largeFile.content.equals(Buffer.from(await answer.arrayBuffer())));
});

browserTest("several files are sent at once, each with a card of its own", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, picture, file("a.txt", "a"), file("b.txt", "bb"));
  for (const [name, facts] of [
    ["picture.png", /^image\/png, \d+ bytes$/],
    ["a.txt", /^text\/plain, 1 byte$/],
    ["b.txt", /^text\/plain, 2 bytes$/],
  ]) {
    await readUrl(page, name);
    assert.match(await card(page, name).locator(".facts").textContent(), facts);
  }
  const files = page.getByRole("list", { name: "Files" });
  assert.deepEqual(await files.getByRole("heading", { level: 2 }).allTextContents(), [
    "picture.png",
    "a.txt",
    "b.txt",
  ]);
});

browserTest("a file that cannot be stored does not keep the others from it", { expectedErrors: /400/ }, async (context) => {
  const { page } = await openDemo(context);
  await choose(page, file("empty.txt", ""), file("full.txt", "full"));
  await readUrl(page, "full.txt");
  await card(page, "empty.txt").getByText("The file is empty.").waitFor();
});

browserTest("a refusal is told in the words of its OperationOutcome", { expectedErrors: /413/ }, async (context) => {
  const { page } = await openDemo(context, { PRESIGN_MAX_UPLOAD: "4" });
  await choose(page, file("long.txt", "12345"));
  const long = card(page, "long.txt");
  await long.getByText("The content is too large.").waitFor();
  assert.match(await long.locator(".details").textContent(), /4 bytes|longer than/);
});

browserTest("a token that may only read is refused, until another is given", { expectedErrors: /403/ }, async (context) => {
  const { page } = await openDemo(context);
  await page.getByLabel("Bearer token").fill("reader");
  await choose(page, picture);
  const shown = card(page, "picture.png");
  await shown.getByText("This token may only read.").waitFor();
  await page.getByLabel("Bearer token").fill("demo");
  await shown.getByRole("button", { name: "Try again" }).click();
  await readUrl(page, "picture.png");
});

browserTest("a file that is dropped on the page is sent", async (context) => {
  const { page } = await openDemo(context);
  // As if it came from the desktop.
  const devtools = await page.context().newCDPSession(page);
  const { x, y } = await page.locator("#drop").boundingBox();
  const data = { items: [], files: [await save(file("dropped.txt", "dropped"))], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await devtools.send("Input.dispatchDragEvent", { type, x: x + 20, y: y + 20, data });
  }
  const answer = await fetch(await readUrl(page, "dropped.txt"));
  assert.equal(await answer.text(), "dropped");
});
