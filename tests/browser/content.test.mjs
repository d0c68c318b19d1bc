// Stored content, as the page shows it.

import assert from "node:assert/strict";

import { browserTest, card, choose, openDemo, readUrl } from "./support/browser.mjs";
import { file, pdf, picture, sound, videoWithGap } from "./support/files.mjs";

browserTest("a picture is shown", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, picture);
  const shown = card(page, "picture.png").getByRole("img", { name: "picture.png" });
  await shown.waitFor();
  const size = await shown.evaluate(async (image) => {
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  });
  assert.deepEqual(size, [2, 1]);
});

browserTest("a video seeks by asking for a range of it", async (context) => {
  const { page } = await openDemo(context);
  const video = videoWithGap(24_000_000);
  await choose(page, video);
  const player = card(page, "clip.mp4").locator("video");
  await player.waitFor();
  await page.waitForFunction(() => document.querySelector("video").readyState >= 1);
  assert.equal(await player.evaluate(({ duration }) => Math.round(duration)), 10);

  const answer = page.waitForResponse((response) => {
    const [, start] = /^bytes (\d+)-/.exec(response.headers()["content-range"]) ?? [];
    return response.status() === 206 && start > video.middle;
  });
  await player.evaluate((element) => (element.currentTime = 9));
  await answer;
  await page.waitForFunction(() => {
    const { seeking, readyState } = document.querySelector("video");
    return !seeking && readyState >= 2;
  });
  assert.equal(await player.evaluate(({ currentTime }) => currentTime), 9);
});

browserTest("sound can be played", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, sound());
  await card(page, "sound.wav").locator("audio").waitFor();
  await page.waitForFunction(() => document.querySelector("audio").duration === 1);
});

browserTest("a PDF opens inside of the page, in the browser's own viewer", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, pdf);
  await card(page, "summary.pdf").locator("iframe").waitFor();
  const isViewer = (frame) => frame.url().startsWith("chrome-extension:");
  let viewer;
  while (!(viewer = page.frames().find(isViewer))) {
    await page.waitForEvent("framenavigated");
  }
  // Chromium's own name for what it has loaded of the document, in percent.
  await viewer.waitForFunction(() => document.querySelector("pdf-viewer")?.loadProgress_ === 100);
});

browserTest("content that a browser cannot show can be downloaded, under a name with its extension", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, file("list.csv", "a,b"));
  const shown = card(page, "list.csv");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    shown.getByRole("link", { name: "Download" }).click(),
  ]);
  // The server's name wins over the page's: it is the Binary's id.
  assert.match(download.suggestedFilename(), /^[\w-]+\.csv$/);
});

browserTest("a picture that is none is said to be none", async (context) => {
  const { page } = await openDemo(context);
  await choose(page, file("broken.png", "no picture"));
  await card(page, "broken.png").getByText("This browser cannot show the file.").waitFor();
  await readUrl(page, "broken.png");
});

browserTest("the URL and a curl command can be copied", async (context) => {
  const { page, origin } = await openDemo(context);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin });
  await choose(page, file("it's.txt", "text"));
  const url = await readUrl(page, "it's.txt");
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  const shown = card(page, "it's.txt");

  await shown.getByRole("button", { name: "Copy URL" }).click();
  await shown.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await clipboard(), url);
  await shown.getByRole("button", { name: "Copy curl command" }).click();
  await page.getByRole("status").getByText("curl command copied").waitFor();
  assert.equal(await clipboard(), String.raw`curl -f -o 'it'\''s.txt' '${url}'`);
});
