// Files to send.

import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { after, before } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "presign-files-"));
});
after(() => rm(folder, { recursive: true }));

/** A file to be. The browser knows its media type by the ending of its name. */
export function file(name, content) {
  return { name, content: Buffer.from(content) };
}

/** Puts the file on the disk, and returns its path. */
export async function save({ name, content }) {
  const path = join(await mkdtemp(join(folder, "file-")), name);
  await writeFile(path, content);
  return path;
}

/** A picture of 2 by 1 pixels. */
export const picture = file(
  "picture.png",
  Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGPgzs7+//8/AAoGA98fHgzKAAAAAElFTkSuQmCC",
    "base64",
  ),
);

/** 24 MB: more than fits into the buffers between a browser and a server that does not read. */
export const largeFile = file("large.bin", Buffer.alloc(24_000_000, "large"));

/** A PDF of one empty page. */
export const pdf = file(
  "summary.pdf",
  "%PDF-1.4\n" +
    "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n" +
    "trailer<</Root 1 0 R>>",
);

/** A second of silence. */
export function sound() {
  const samples = Buffer.alloc(8000, 128);
  const header = Buffer.from("RIFF....WAVEfmt ....................data....", "latin1");
  header.writeUInt32LE(36 + samples.length, 4);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(8000, 24); // samples a second
  header.writeUInt32LE(8000, 28); // bytes a second
  header.writeUInt16LE(1, 32); // bytes a sample
  header.writeUInt16LE(8, 34); // bits a sample
  header.writeUInt32LE(samples.length, 40);
  return file("sound.wav", Buffer.concat([header, samples]));
}

/**
 * A video of ten seconds with `gap` bytes of nothing in its middle. Whoever wants to see its end
 * must ask for it by a range, or read on for long.
 */
export function videoWithGap(gap) {
  const video = readFileSync(new URL("clip.mp4", import.meta.url));
  // ISO/IEC 14496-12: the box `mdat` has the frames, and comes last here; each `stco` has the
  // offsets of a track's chunks in the file.
  const mdat = video.indexOf("mdat") - 4;
  const offsets = [];
  for (let box = video.indexOf("stco"); box !== -1; box = video.indexOf("stco", box + 1)) {
    const count = video.readUInt32BE(box + 8);
    for (let index = 0; index < count; index += 1) {
      offsets.push(box + 12 + index * 4);
    }
  }
  const chunks = offsets.map((at) => video.readUInt32BE(at)).sort((a, b) => a - b);
  const middle = chunks[Math.floor(chunks.length / 2)];
  for (const at of offsets) {
    const chunk = video.readUInt32BE(at);
    video.writeUInt32BE(chunk >= middle ? chunk + gap : chunk, at);
  }
  video.writeUInt32BE(video.readUInt32BE(mdat) + gap, mdat);
  const parts = [video.subarray(0, middle), Buffer.alloc(gap), video.subarray(middle)];
  return { ...file("clip.mp4", Buffer.concat(parts)), middle };
}
