// Uploaded content that has scripts in it. The storage's origin has other people's content, and in
// this server the FHIR API as well: no script may run there.

import assert from "node:assert/strict";

import { browserTest, choose, openDemo, readUrl } from "./support/browser.mjs";
import { file } from "./support/files.mjs";

const html = `<!doctype html><title>shown</title><script>document.title = "ran"</script>`;
const svg =
  `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><title>shown</title>` +
  `<script>document.title = "ran"</script></svg>`;
const xhtml =
  `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>shown</title>` +
  `<script>document.title = "ran"</script></head><body/></html>`;

const dangerous = [
  file("page.html", html),
  file("drawing.svg", svg),
  file("page.xhtml", xhtml),
];

browserTest("a page or a drawing with a script is not opened but downloaded", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, ...dangerous);
  for (const { name } of dangerous) {
    const url = await readUrl(page, name);
    const tab = await page.context().newPage();
    const download = tab.waitForEvent("download");
    await assert.rejects(tab.goto(url), /Download is starting/);
    await download;
    assert.equal(tab.url(), "about:blank", name);
  }
});

const refusedToRun = { expectedErrors: /Blocked script execution|violates the following Content Security Policy/ };
browserTest("even if it were opened, its script would not run", refusedToRun, async (context) => {
  const { page } = await openDemo(context);
  await choose(page, ...dangerous);
  for (const { name } of dangerous) {
    const url = await readUrl(page, name);
    assert.equal(await titleWithout(page, url, ["content-disposition"]), "shown", name);
    // Without this, the test could not fail.
    const unprotected = ["content-disposition", "content-security-policy"];
    assert.equal(await titleWithout(page, url, unprotected), "ran", name);
  }
});

browserTest("a page under a harmless type stays harmless", async (context) => {
  const { page } = await openDemo(context);
  const disguised = [
    file("page.txt", html),
    file("page.png", html),
    file("page.pdf", html),
  ];
  await choose(page, ...disguised);
  for (const { name } of disguised) {
    const tab = await page.context().newPage();
    await tab.goto(await readUrl(page, name));
    assert.notEqual(await tab.title(), "ran", name);
    assert.equal(await tab.locator("script").count(), 0, name);
  }
});

browserTest("a drawing is shown in the page as a picture, without its script", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, dangerous[1]);
  await readUrl(page, "drawing.svg");
  const image = page.getByRole("img", { name: "drawing.svg" });
  assert.equal(await image.evaluate(async (element) => (await element.decode(), element.naturalWidth)), 9);
  assert.equal(await page.title(), "Presigned URLs for FHIR Binary");
});

/** The title of what a tab shows at the URL, with these headers taken off the answer. */
async function titleWithout(page, url, names) {
  const tab = await page.context().newPage();
  await tab.route(url, async (route) => {
    const response = await route.fetch();
    const headers = response.headers();
    names.forEach((name) => delete headers[name]);
    await route.fulfill({ response, headers });
  });
  await tab.goto(url);
  const title = await tab.locator("title").textContent();
  await tab.close();
  return title;
}
