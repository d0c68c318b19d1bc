// The abilities of tus-js-client besides sending one part after the other.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Upload } from "tus-js-client";

import { newScan } from "./support/scan.mjs";
import { startServer } from "./support/server.mjs";

const content = Buffer.alloc(3_000_000, "scan");
const chunkSize = 1_000_000;

/** Nobody knows how much comes. */
const stream = () => Readable.from([content.subarray(0, 700_000), content.subarray(700_000)]);

for (const [name, source, options] of [
  ["the first part goes with the creation", content, { uploadDataDuringCreation: true, chunkSize }],
  ["all of it goes with the creation", content, { uploadDataDuringCreation: true }],
  ["the length is said at the end", stream(), { uploadLengthDeferred: true, chunkSize }],
  ["parts go by POST where PATCH is not known", content, { overridePatchMethod: true, chunkSize }],
]) {
  test(name, async (t) => {
    const scan = await newScan(await startServer(t));
    await upload(source, await scan.writeUrl(), options);
    await scan.assertIs(content);
  });
}

test("an upload is terminated", async (t) => {
  const scan = await newScan(await startServer(t));
  const url = await scan.writeUrl();
  await new Promise((resolve, onError) => {
    const onChunkComplete = () => upload.abort(true).then(resolve, onError);
    const upload = new Upload(content, { endpoint: url, chunkSize, onChunkComplete, onError });
    upload.start();
  });
  await scan.assertIsAbsent();
  // The write URL is not used up.
  await upload(content, url);
  await scan.assertIs(content);
});

test("parts that go at once are refused, and none is taken for the whole", async (t) => {
  const scan = await newScan(await startServer(t));
  const url = await scan.writeUrl();
  await assert.rejects(upload(content, url, { parallelUploads: 2 }), /send the content as one upload/);
  await scan.assertIsAbsent();
});

test("a refusal is not tried again", async (t) => {
  const scan = await newScan(await startServer(t, { PRESIGN_MAX_UPLOAD: "1000" }));
  let requests = 0;
  const onBeforeRequest = () => (requests += 1);
  const options = { retryDelays: [0, 0], onBeforeRequest };
  await assert.rejects(upload(content, await scan.writeUrl(), options), /too-large/);
  assert.equal(requests, 1);
});

function upload(source, url, options) {
  return new Promise((onSuccess, onError) => {
    const fixed = { endpoint: url, retryDelays: null, onSuccess, onError };
    new Upload(source, { ...fixed, ...options }).start();
  });
}
