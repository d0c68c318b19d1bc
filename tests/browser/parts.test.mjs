// Long files go in parts: the upload can be paused, outlives its page, and waits for the network.

import assert from "node:assert/strict";

import { browserTest, card, choose, openDemo, readUrl } from "./support/browser.mjs";
import { file, picture, save } from "./support/files.mjs";
import { openBehindGate } from "./support/gate.mjs";

/** It goes in two parts, of which the first is more than fits into buffers. */
const longFile = file("long.bin", Buffer.alloc(12_000_000, "long"));

const unreachable = { expectedErrors: /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_(RESET|REFUSED)/ };

browserTest("an upload that is paused goes on where it was", async (context) => {
  const { page, gate } = await openBehindGate(context);
  const requests = storageRequests(page);
  const long = await sendSome(page);
  await long.getByRole("button", { name: "Pause" }).click();
  await long.getByText(/^Paused at \d+ %$/).waitFor();

  gate.open();
  await long.getByRole("button", { name: "Resume" }).click();
  await assertStored(page);
  assert.equal(requests.filter(({ method }) => method === "POST").length, 1, "it was begun once");
  assertGoesOn(requests);
});

browserTest("an upload outlives its page, and goes on without the token", async (context) => {
  const { page, gate } = await openBehindGate(context);
  const path = await save(longFile);
  const files = page.getByLabel("Choose files");
  await files.setInputFiles([path]);
  await sent(page);
  const kept = await page.evaluate(() => JSON.stringify(localStorage));
  assert.match(kept, /Method=PATCH/);
  assert.doesNotMatch(kept, /demo/, "the token is not kept");

  await page.reload();
  const long = card(page, "long.bin");
  await long.getByText(/^Interrupted at \d+ %\. Choose the file again to go on\.$/).waitFor();
  // Another file is another upload.
  await choose(page, picture);
  await readUrl(page, "picture.png");
  await long.getByText(/^Interrupted/).waitFor();

  gate.open();
  const requests = storageRequests(page);
  const chooser = page.waitForEvent("filechooser");
  await long.getByRole("button", { name: "Choose file" }).click();
  await (await chooser).setFiles([path]);
  await assertStored(page);
  assert.ok(requests.every(({ headers }) => !headers.authorization));
  assert.ok(requests.every(({ method }) => method !== "POST"), "it is not begun anew");
  assertGoesOn(requests);

  await page.reload();
  assert.equal(await page.getByText("Interrupted").count(), 0, "it is done");
  assert.equal(await page.evaluate(() => localStorage.getItem("unfinished uploads")), "[]");
});

browserTest("an upload waits for the network, and goes on by itself", unreachable, async (context) => {
  const { page, gate } = await openBehindGate(context);
  const long = await sendSome(page);
  await page.context().setOffline(true);
  await long.getByText(/^Waiting for the network, \d+ % sent$/).waitFor();
  const status = page.getByRole("status");
  await status.getByText("long.bin: waiting for the network").waitFor();

  gate.open();
  await page.context().setOffline(false);
  await assertStored(page);
});

browserTest("an upload waits for a server that is started again", unreachable, async (context) => {
  const { page, gate, server } = await openBehindGate(context);
  const long = await sendSome(page);
  await server.restart();
  await long.getByText(/^Waiting for the server, \d+ % sent$/).waitFor();

  gate.forwardTo(server.origin);
  gate.open();
  await page.waitForFunction(() => localStorage.getItem("unfinished uploads") === "[]");
});

browserTest("an upload that is cancelled is gone, also from the server", { expectedErrors: /404/ }, async (context) => {
  const { page, gate } = await openBehindGate(context);
  const requests = storageRequests(page);
  const long = await sendSome(page);
  await long.getByRole("button", { name: "Pause" }).click();
  const removed = page.waitForResponse((response) => response.request().method() === "DELETE");
  await long.getByRole("button", { name: "Cancel" }).click();
  await long.getByText("Cancelled").waitFor();
  const answer = await removed;
  assert.equal(answer.status(), 204);
  assert.equal((await fetch(answer.url(), { method: "HEAD" })).status, 404);

  await page.reload();
  assert.equal(await page.getByText("long.bin").count(), 0, "it is forgotten");
});

browserTest("an interrupted upload can be cancelled", async (context) => {
  const { page } = await openBehindGate(context);
  await sendSome(page);
  await page.reload();
  const long = card(page, "long.bin");
  await long.getByRole("button", { name: "Cancel" }).click();
  await long.waitFor({ state: "detached" });
  const focused = await page.evaluate(() => document.activeElement.id);
  assert.equal(focused, "files", "the next thing to do has the focus");
});

browserTest("an upload whose time is over is begun anew", { expectedErrors: /404/ }, async (context) => {
  const { page, gate } = await openBehindGate(context);
  const long = await sendSome(page);
  await long.getByRole("button", { name: "Pause" }).click();
  const [{ upload }] = await page.evaluate(() => JSON.parse(localStorage.getItem("unfinished uploads")));
  await fetch(upload, { method: "DELETE" });
  gate.open();
  await long.getByRole("button", { name: "Resume" }).click();
  await long.locator(".message").waitFor();
  await long.getByRole("button", { name: "Try again" }).click();
  await assertStored(page);
});

browserTest("a short file goes in one request", async (context) => {
  const { page } = await openDemo(context);
  const requests = storageRequests(page);
  await choose(page, file("short.bin", Buffer.alloc(8 * 1024 * 1024)));
  await readUrl(page, "short.bin");
  const methods = requests.map(({ method }) => method).filter((method) => method !== "GET");
  assert.deepEqual(methods, ["PUT"]);
});

/** Sends some of the long file, and no more. */
async function sendSome(page) {
  await choose(page, longFile);
  await sent(page);
  return card(page, "long.bin");
}

/** Waits until some is sent. */
async function sent(page) {
  await page.waitForFunction(() => document.querySelector("progress").value > 0);
}

async function assertStored(page) {
  const answer = await fetch(await readUrl(page, "long.bin"));
  assert.ok(longFile.content.equals(Buffer.from(await answer.arrayBuffer())));
}

/** The requests to the storage, from now on. */
function storageRequests(page) {
  const requests = [];
  page.on("request", (request) => {
    if (request.url().includes("/storage/")) {
      requests.push({ method: request.method(), headers: request.headers() });
    }
  });
  return requests;
}

/** Of what had arrived nothing was sent again. */
function assertGoesOn(requests) {
  const parts = requests.filter(({ method }) => method === "PATCH");
  const offsets = parts.map(({ headers }) => Number(headers["upload-offset"]));
  const last = offsets.lastIndexOf(0);
  assert.ok(offsets.length > 1, offsets.join());
  assert.ok(offsets.slice(last + 1)[0] > 0, offsets.join());
}
