// The page by keyboard, and to a screen reader.

import assert from "node:assert/strict";
import axe from "axe-core";

import { browserTest, card, choose, openDemo, readUrl } from "./support/browser.mjs";
import { file, largeFile, pdf, picture, save } from "./support/files.mjs";
import { openBehindGate } from "./support/gate.mjs";

browserTest("everything can be done by keyboard alone", async (context) => {
  const { page, gate } = await openBehindGate(context);
  const chooser = page.waitForEvent("filechooser");
  const focused = () =>
    page.evaluate(() => {
      const { labels, ariaLabel, textContent } = document.activeElement;
      const name = ariaLabel ?? labels?.[0]?.textContent ?? textContent;
      return name.replace(/\s+/g, " ").trim();
    });
  const press = async (key, name) => {
    await page.keyboard.press(key);
    assert.equal(await focused(), name);
  };
  await press("Tab", "FHIR server");
  await press("Tab", "Bearer token");
  await press("Tab", "Choose files or drop them here");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles([await save(largeFile)]);

  await page.waitForFunction(() => document.querySelector("progress").value > 0);
  await press("Tab", "Pause: large.bin");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "Resume: large.bin");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "Pause: large.bin");
  await press("Tab", "Cancel: large.bin");
  await page.keyboard.press("Enter");
  await card(page, "large.bin").getByText("Cancelled").waitFor();
  // The focus stays where it was, and what is left when that is gone is the next thing to do.
  assert.equal(await focused(), "Try again: large.bin");
  gate.open();
  await page.keyboard.press("Space");
  await readUrl(page, "large.bin");
  assert.equal(await focused(), "Copy URL");
  await press("Tab", "Copy curl command");
  await press("Tab", "Download");
  await press("Tab", "Write URL");
  await page.keyboard.press("Enter");
  await card(page, "large.bin").getByLabel("Write URL,").waitFor();
  await press("Tab", "Write URL, for one upload of the next version");
  await press("Tab", "Copy write URL");
});

browserTest("a screen reader is told of each step, and of quarters on the way", async (context) => {
  const { page, gate } = await openBehindGate(context);
  gate.open();
  await choose(page, largeFile);
  await page.getByRole("status").getByText("large.bin: stored").waitFor();
  const told = await page.getByRole("status").locator("p").allTextContents();
  assert.equal(told[0], "large.bin: sending");
  assert.equal(told.at(-1), "large.bin: stored");
  const steps = told.slice(1, -1);
  assert.ok(steps.every((text) => /^large\.bin: (25|50|75|100) % sent$/.test(text)), told.join());
  assert.equal(new Set(steps).size, steps.length, told.join());
});

browserTest("the progress has a name and a value", async (context) => {
  const { page } = await openBehindGate(context);
  await choose(page, largeFile);
  await page.waitForFunction(() => document.querySelector("progress").value > 0);
  await page.getByRole("progressbar", { name: "Sent of large.bin" }).waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [device, viewport] of [["desk", { width: 1280, height: 800 }], ["phone", { width: 360, height: 740 }]]) {
    const options = { colorScheme, viewport, expectedErrors: /400/ };
    browserTest(`axe finds nothing wrong, ${colorScheme}, on a ${device}`, options, async (context) => {
      const { page } = await openBehindGate(context);
      await check(page);
      await choose(page, picture, pdf, file("empty.txt", ""));
      await readUrl(page, "picture.png");
      await readUrl(page, "summary.pdf");
      await card(page, "summary.pdf").getByRole("button", { name: "Write URL", exact: true }).click();
      await card(page, "summary.pdf").getByLabel("Write URL,").waitFor();
      await card(page, "empty.txt").getByText("The file is empty.").waitFor();
      await choose(page, largeFile);
      await page.waitForFunction(() => document.querySelector("progress").value > 0);
      await check(page);
      const [shown, available] = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return [scrollWidth, clientWidth];
      });
      assert.equal(shown, available, "it fits the width");

      await page.getByRole("button", { name: "Pause: large.bin" }).click();
      await check(page);
      await page.reload();
      await card(page, "large.bin").getByText("Interrupted").waitFor();
      await check(page);
    });
  }
}

for (const colorScheme of ["light", "dark"]) {
  const options = { colorScheme, viewport: { width: 360, height: 740 } };
  browserTest(`axe finds nothing wrong with a link that does not work, ${colorScheme}`, options, async (context) => {
    const { page, origin } = await openDemo(context);
    const answer = await fetch(`${origin}/storage/scan/1?Expires=1`, { headers: { accept: "text/html" } });
    assert.equal(answer.status, 403);
    // Without its policy, by which no script runs there, that of axe neither.
    await page.goto("about:blank");
    await page.setContent(await answer.text());
    await page.getByRole("heading", { level: 1 }).waitFor();
    await check(page);
  });
}

async function check(page) {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    // The PDF viewer is the browser's.
    const results = await axe.run(document, { iframes: false });
    return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`);
  });
  assert.deepEqual(violations, []);
}
