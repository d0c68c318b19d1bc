// URLs that expire.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import { browserTest, card, choose, openDemo, readUrl } from "./support/browser.mjs";
import { picture } from "./support/files.mjs";

browserTest("the time until a URL expires is counted down, and then there is a new one", async (context) => {
  const { page, origin } = await openDemo(context, { PRESIGN_TTL: "7200" });
  await page.clock.install();
  await page.goto(origin);
  await choose(page, picture);
  const first = await readUrl(page, "picture.png");
  const shown = card(page, "picture.png");
  await shown.getByText(/^Expires in (2 h 00|1 h 59) min$/).waitFor();
  await page.clock.fastForward("01:50:00");
  await shown.getByText(/^Expires in (10:00|9:\d\d)$/).waitFor();
  assert.equal(await shown.getByRole("button", { name: "New URL" }).count(), 0);

  await page.clock.fastForward("10:01");
  await shown.getByText("Expired", { exact: true }).waitFor();
  // Nothing offers what no longer works.
  assert.equal(await shown.getByRole("button", { name: "Copy" }).count(), 0);
  assert.equal(await shown.getByRole("link").count(), 0);

  await page.clock.setSystemTime(Date.now());
  await shown.getByRole("button", { name: "New URL" }).click();
  await shown.getByText(/^Expires in/).waitFor();
  const second = await readUrl(page, "picture.png");
  assert.ok(expires(second) >= expires(first));
});

browserTest("a URL that has expired when it is used is told of in words", { expectedErrors: /403/ }, async (context) => {
  const secret = Buffer.alloc(32, "secret");
  const { page, origin } = await openDemo(context, { PRESIGN_SECRET: secret.toString("hex") });
  // As if the answer had been long on its way.
  const isRead = (url) => url.pathname.endsWith("/$presigned-url") && url.search === "";
  await page.route(isRead, async (route) => {
    const { parameter } = await (await route.fetch()).json();
    parameter[0].valueUri = expired(parameter[0].valueUri, `${origin}/storage`, secret);
    await route.fulfill({ json: { parameter } });
  });
  await choose(page, picture);
  const shown = card(page, "picture.png");
  await shown.getByText("This link has expired.").waitFor();
  await shown.getByText("Ask for a new URL.").waitFor();

  await page.unrouteAll();
  await shown.getByRole("button", { name: "Try again" }).click();
  await readUrl(page, "picture.png");
  assert.equal(await shown.getByText("This link has expired.").isVisible(), false);
});

/** The same URL with an earlier `Expires`, signed as src/url says. */
function expired(url, base, secret) {
  const unsigned = url.replace(/&Signature=.*/, "").replace(/Expires=\d+/, "Expires=1");
  const hmac = (key, text) => createHmac("sha256", key).update(text);
  const key = hmac(secret, "tower-presign/v1").digest();
  const text = ["tower-presign/v1", base, unsigned.slice(base.length)].join("\n");
  return `${unsigned}&Signature=${hmac(key, text).digest("base64url")}`;
}

function expires(url) {
  return Number(new URL(url).searchParams.get("Expires"));
}
