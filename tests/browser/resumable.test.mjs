// Uploads by the clients that people use, cut a hundred times in all: by connections that are
// reset, answers that are lost, proxies that are killed, and a server that is killed and started
// again on its folder. Each upload ends with the right bytes, stored once.
//
// `PRESIGN_CUTS_SEED` says what is sent and where it is cut. (How much of it had arrived by then is
// up to the machine as well.)

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";

import { browserTest } from "./support/browser.mjs";
import { startLine } from "./support/line.mjs";
import { startNginx } from "./support/nginx.mjs";
import { Random } from "./support/random.mjs";
import { newScan } from "./support/scan.mjs";
import { startServer } from "./support/server.mjs";
import { curl, eagerTusJsClient, openUploaders, tusJsClient, tuspy } from "./support/uploaders.mjs";

const MB = 1024 * 1024;

/** In bytes. */
const LENGTH = { from: 1 * MB, to: 8 * MB };

const MAX_CUTS_OF_AN_UPLOAD = 6;

const seed = Number(process.env.PRESIGN_CUTS_SEED ?? randomInt(2 ** 32));
console.log(`PRESIGN_CUTS_SEED=${seed}`);

/** nginx as it comes, which takes requests of up to 1 MB and passes them on when it has them. */
const usual = { settings: "", part: 0.5 * MB };

/** nginx as it is set up for uploads. */
const streaming = {
  settings: "client_max_body_size 0; proxy_request_buffering off;",
  part: 3 * MB,
};

const direct = { part: 1 * MB };

// The console names each request that did not come through.
const cut = { expectedErrors: /Failed to load resource|has been blocked by CORS policy/ };

test("tus-js-client in node, cut 12 times", (t) => uploadAndCut(t, tusJsClient, 12, direct));

test("tus-js-client in node that sends with the creation, cut 8 times", (t) =>
  uploadAndCut(t, eagerTusJsClient, 8, direct));

test("tus-js-client in node behind nginx as it comes, cut 12 times", (t) =>
  uploadAndCut(t, tusJsClient, 12, usual));

test("tus-js-client in node behind nginx that streams, cut 12 times", (t) =>
  uploadAndCut(t, tusJsClient, 12, streaming));

browserTest("tus-js-client in Chromium, cut 12 times", cut, async ({ t, newPage }) => {
  const { tus } = await openUploaders(t, await newPage());
  await uploadAndCut(t, tus, 12, direct);
});

browserTest("Uppy in Chromium, cut 12 times", cut, async ({ t, newPage }) => {
  const { uppy } = await openUploaders(t, await newPage());
  await uploadAndCut(t, uppy, 12, direct);
});

test("tuspy, cut 12 times", (t) => uploadAndCut(t, tuspy, 12, direct));

test("curl by the IETF's draft, cut 12 times", (t) => uploadAndCut(t, curl, 12, direct));

test("curl by the IETF's draft behind nginx as it comes, cut 8 times", (t) =>
  uploadAndCut(t, curl, 8, usual));

/** Uploads one content after the other, until there were so many cuts. */
async function uploadAndCut(t, upload, cuts, { settings, part }) {
  const random = new Random(seed);
  const front = await startLine(t);
  const server = await startServer(t, { PRESIGN_STORAGE_URL: `${front.origin}/storage` });
  const ways = {
    "connections reset": () => front.reset(),
    "answers lost": () => front.loseAnswer(),
    "proxies gone": () => front.goDown(100),
    async "servers killed"() {
      await server.restart();
      back.forwardTo(server.origin);
    },
  };
  // In front of the server, whose port changes.
  const back = settings === undefined ? front : await startLine(t);
  back.forwardTo(server.origin);
  if (back !== front) {
    const nginx = await startNginx(t, back.origin, settings);
    front.forwardTo(nginx.origin);
    ways["connections reset behind nginx"] = () => back.reset();
    ways["answers lost behind nginx"] = () => back.loseAnswer();
    ways["nginx killed"] = () => nginx.restart();
  }

  const names = Object.keys(ways);
  const made = [];
  for (let uploads = 0; made.length < cuts; uploads += 1) {
    assert.ok(uploads < 10 * cuts, "it can hardly be cut");
    const content = random.bytes(random.between(LENGTH.from, LENGTH.to));
    const scan = await newScan(server);
    const url = await scan.writeUrl();
    let left = Math.min(cuts - made.length, MAX_CUTS_OF_AN_UPLOAD);
    let cutting = Promise.resolve();
    const cutNext = (within) => {
      if (left > 0) {
        left -= 1;
        front.cutAfter(random.between(1, within), () => {
          const way = names[made.length % names.length];
          made.push(way);
          cutting = Promise.resolve(ways[way]()).then(() => cutNext(content.length / 6));
        });
      }
    };
    cutNext(content.length);
    await upload(url, content, part);
    left = 0;
    await cutting;
    front.spare();
    back.spare();
    await scan.assertIs(content);
  }
  for (const way of names) {
    t.diagnostic(`${way}: ${made.filter((one) => one === way).length}`);
  }
}
