// The page of one server, used with another: requests across origins.

import assert from "node:assert/strict";

import { browserTest, card, choose, openDemo, readUrl } from "./support/browser.mjs";
import { file, picture } from "./support/files.mjs";
import { startServer } from "./support/server.mjs";

browserTest("a page of another origin can create, send, read and show", async (context) => {
  const { page, other } = await openWithOther(context);
  assert.equal(await page.getByLabel("FHIR server").inputValue(), `${other.origin}/fhir/R4`);
  const preflights = await recordPreflights(page);

  await choose(page, picture);
  const url = await readUrl(page, "picture.png");
  assert.ok(url.startsWith(`${other.origin}/storage/`), url);
  const image = page.getByRole("img", { name: "picture.png" });
  await image.evaluate((element) => element.decode());
  assert.ok(preflights.has("POST /fhir/R4/Binary"), [...preflights].join(", "));
  assert.ok(preflights.has(`PUT ${new URL(url).pathname}`), [...preflights].join(", "));
});

browserTest("a page of another origin is told why it is refused", { expectedErrors: /400|401/ }, async (context) => {
  const { page } = await openWithOther(context);
  await choose(page, file("empty.txt", ""));
  await card(page, "empty.txt").getByText("The file is empty.").waitFor();
  await page.getByLabel("Bearer token").fill("unknown");
  await choose(page, picture);
  await card(page, "picture.png").getByText("The request has no valid credentials").waitFor();
});

const unreachable = { expectedErrors: /ERR_CONNECTION_REFUSED/ };
browserTest("a server that is not there is said not to be", unreachable, async (context) => {
  const { page } = await openDemo(context);
  await page.getByLabel("FHIR server").fill("http://127.0.0.1:4/fhir");
  await choose(page, picture);
  await card(page, "picture.png").getByText("The server cannot be reached.").waitFor();
});

/** The page of one server, opened so that it uses the other. */
async function openWithOther(context) {
  const { page, origin } = await openDemo(context);
  const other = await startServer(context.t);
  await page.goto(`${origin}/?server=${encodeURIComponent(`${other.origin}/fhir/R4`)}`);
  return { page, other };
}

/** Fills a set with the preflights that succeed, by the method that they ask for. */
async function recordPreflights(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  const asked = new Map();
  const granted = new Set();
  devtools.on("Network.requestWillBeSent", ({ requestId, request }) => {
    const method = request.headers["Access-Control-Request-Method"];
    if (request.method === "OPTIONS") {
      asked.set(requestId, `${method} ${new URL(request.url).pathname}`);
    }
  });
  devtools.on("Network.responseReceived", ({ requestId, response }) => {
    if (asked.has(requestId) && response.status === 200) {
      granted.add(asked.get(requestId));
    }
  });
  return granted;
}
