// Clients that upload in parts, as their makers ship them. Each takes a write URL, the content and
// the most that goes into one request, in bytes; goes on by itself when it is cut; and returns when
// it takes the content for stored.

import { build } from "esbuild";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Upload } from "tus-js-client";

const run = promisify(execFile);
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

/** tus-js-client in node. */
export function tusJsClient(url, content, part, options) {
  return new Promise((onSuccess, onError) => {
    const retryDelays = Array(100).fill(50);
    const fixed = { endpoint: url, chunkSize: part, retryDelays, onSuccess, onError };
    new Upload(content, { ...fixed, ...options }).start();
  });
}

/** tus-js-client in node, which sends content as soon as it can. */
export function eagerTusJsClient(url, content, part) {
  return tusJsClient(url, content, part, { uploadDataDuringCreation: true });
}

/** Uploaders in a page of another origin than the server: `tus` and `uppy`. */
export async function openUploaders(t, page) {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL("uploaders.page.js", import.meta.url))],
    bundle: true,
    format: "iife",
    write: false,
  });
  let content;
  const server = createServer((request, response) => {
    const [type, body] = {
      "/": ["text/html", "<!doctype html><link rel=icon href=data:,><script src=bundle.js></script>"],
      "/bundle.js": ["text/javascript", bundle.outputFiles[0].contents],
      "/content": ["application/octet-stream", content],
    }[request.url];
    response.writeHead(200, { "Content-Type": type }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const uploader = (name) => async (url, bytes, part) => {
    content = bytes;
    const outcome = await page.evaluate(
      ([name, ...order]) => window.uploaders[name](...order),
      [name, url, part],
    );
    if (outcome) {
      throw new Error(outcome);
    }
  };
  return { tus: uploader("tus"), uppy: uploader("uppy") };
}

/** tuspy. */
export async function tuspy(url, content, part) {
  await withFile(content, async (path) => {
    const script = fileURLToPath(new URL("uploader.py", import.meta.url));
    await run("python3", [script, url, path, part]);
  });
}

/** curl, by the IETF's draft, with a shell's patience. */
export async function curl(url, content, part) {
  await withFile(content, async (path) => {
    let upload;
    while (!upload) {
      const begin = ["-H", "Upload-Complete: ?0", "-H", "Content-Type: application/octet-stream"];
      upload = (await request(["-X", "POST", ...begin, url])).location;
    }
    for (let isComplete = false; !isComplete; ) {
      const progress = await request(["--head", upload]);
      if (!progress["upload-offset"]) {
        continue;
      }
      const offset = Number(progress["upload-offset"]);
      const end = Math.min(offset + part, content.length);
      await writeFile(path, content.subarray(offset, end));
      const headers = {
        "Content-Type": "application/partial-upload",
        "Upload-Offset": offset,
        "Upload-Complete": end === content.length ? "?1" : "?0",
      };
      const named = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
      const appended = await request(["-X", "PATCH", ...named, "--data-binary", `@${path}`, upload]);
      isComplete = appended["upload-complete"] === "?1";
    }
  });
}

/** The headers of the answer, none if there is no answer. */
async function request(args) {
  try {
    const { stdout } = await run("curl", ["-sS", "--fail", "-D", "-", "-o", "/dev/null", ...args]);
    const lines = stdout.trim().split("\r\n");
    const headers = lines.filter((line) => line.includes(": ")).map((line) => line.split(": "));
    return Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  } catch (error) {
    // 22: the answer was a refusal, which is one of the server's only behind a proxy.
    if (error.code === 22 && !/ (409|5..)$/m.test(error.stderr.trim())) {
      throw error;
    }
    await pause();
    return {};
  }
}

async function withFile(content, use) {
  const folder = await mkdtemp(join(tmpdir(), "presign-uploader-"));
  try {
    const path = join(folder, "content");
    await writeFile(path, content);
    await use(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}
