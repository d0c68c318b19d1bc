// Stored content, as a person sees it in Chromium, Firefox and WebKit: by its link, in a frame and
// in its element, in pages that are isolated from others (COOP and COEP, as viewers of medical
// images are) and in pages that are not. And that no stored script runs in any of these ways.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";

import { names, openWindow, until } from "./support/drivers.mjs";
import { sound } from "./support/files.mjs";
import { startServer } from "./support/server.mjs";

const ran = `document.title = "ran"; parent.postMessage("ran", "*");`;
const contents = {
  picture: ["image/bmp", magentaPicture()],
  pdf: ["application/pdf", magentaPdf()],
  video: ["video/webm", readFileSync(new URL("support/magenta.webm", import.meta.url))],
  sound: ["audio/wav", sound().content],
  // These two play where the engine has their codecs. They have the headers of the two above, so
  // they are tried where it is hardest alone: by their links, and in isolated pages.
  film: ["video/mp4", readFileSync(new URL("support/magenta.mp4", import.meta.url))],
  song: ["audio/mpeg", readFileSync(new URL("support/silence.mp3", import.meta.url))],
  text: ["text/plain", "text"],
  page: ["text/html", `<!doctype html><title>shown</title><script>${ran}</script>`],
  drawing: ["image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><script>${ran}</script></svg>`],
};

/** Enough of a screenshot to be no accident: pixels of the test content's colour. */
const SEEN = 200;

// That there is no loudspeaker, as Firefox has it, is not for want of content.
const mediaIsReady = `
  const player = document.querySelector("video, audio");
  const { message = "" } = player?.error ?? {};
  return player?.readyState >= 2 && (!player.error || message === "OnMediaSinkAudioError");`;

for (const name of names) {
  test(name, async (t) => {
    const server = await startServer(t);
    const host = await startHost(t);
    const urls = {};
    for (const [content, [type, bytes]] of Object.entries(contents)) {
      urls[content] = await store(server.origin, type, bytes);
    }
    const window = await openWindow(t, name);
    const plays = async (content, type) => {
      const script = `return document.createElement("video").canPlayType(${JSON.stringify(type)}) !== ""`;
      const isPlayed = await window.run(script);
      t.diagnostic(`${name} ${isPlayed ? "plays" : "cannot play"} ${type}`);
      return isPlayed ? [content] : [];
    };
    const videos = ["video", ...(await plays("film", 'video/mp4; codecs="avc1.42C00D"'))];
    const songs = await plays("song", "audio/mpeg");
    // Firefox saves WAV, whatever its headers are: there are forms of it that it cannot play.
    const opened = [...(name === "firefox" ? [] : ["sound"]), ...songs];
    const shows = (what) => until(what, async () => (await window.magenta()) > SEEN);
    const visit = async (url) => {
      await window.open(url);
      await until(url, async () => (await window.run("return location.href")) === url);
    };
    const embed = (tag, content, isIsolated) =>
      visit(host.page(tag, urls[content], contents[content][0], isIsolated));

    await t.test("the content opens by its link", async () => {
      for (const content of ["picture", "pdf", ...videos]) {
        await window.open(urls[content]);
        await shows(`${content} by its link`);
        await visit("about:blank");
      }
      for (const content of opened) {
        await window.open(urls[content]);
        await until(`${content} by its link`, () => window.run(mediaIsReady));
        await visit("about:blank");
      }
      await window.open(urls.text);
      await until("text by its link", () => window.run(`return document.body?.innerText.trim() === "text"`));
    });

    for (const isIsolated of [false, true]) {
      const kind = isIsolated ? "isolated" : "ordinary";
      const here = (contents) => (isIsolated ? contents : contents.filter((it) => !["film", "song"].includes(it)));
      await t.test(`the content is shown inside of an ${kind} page`, async () => {
        await visit(host.page("p", "", "", isIsolated));
        assert.equal(await window.magenta(), 0);
        assert.equal(await window.run("return window.crossOriginIsolated"), isIsolated);
        for (const [tag, content] of [
          ["iframe", "picture"],
          ["iframe", "pdf"],
          ...here(videos).map((video) => ["iframe", video]),
          ["object", "picture"],
          ["object", "pdf"],
          // WebKitGTK shows no video in <object>, whatever its headers are.
          ...(name === "webkit" ? [] : [["object", "video"]]),
          ["embed", "pdf"],
          ["img", "picture"],
          ...here(videos).map((video) => ["video", video]),
        ]) {
          await embed(tag, content, isIsolated);
          await shows(`${content} in <${tag}> of an ${kind} page`);
        }
        for (const content of here(opened)) {
          await embed("iframe", content, isIsolated);
          await until(`${content} in a frame`, () => window.run(mediaIsReady, 0));
        }
        for (const content of here(["sound", ...songs])) {
          await embed("audio", content, isIsolated);
          await until(`${content} in its element`, () => window.run(mediaIsReady));
        }
        await embed("iframe", "text", isIsolated);
        await until("text in a frame", () =>
          window.run(`return document.body?.innerText.trim() === "text"`, 0),
        );
      });

      await t.test(`no stored script runs inside of an ${kind} page`, async () => {
        const heard = "return window.heard";
        for (const tag of ["iframe", "object", "embed", "img"]) {
          for (const content of ["page", "drawing"]) {
            await embed(tag, content, isIsolated);
            await until("the page", () => window.run("return document.readyState === 'complete'"));
            await sleep(300);
            assert.deepEqual(await window.run(heard), [], `${content} in <${tag}>`);
          }
        }
        // Without this, the test could not fail.
        await window.open(host.page("iframe", `${host.origin}/script`, "text/html", isIsolated));
        await until("a script of the page's own", async () => (await window.run(heard))?.[0] === "ran");
      });
    }

    await t.test("no stored script runs by its link", async () => {
      for (const content of ["page", "drawing"]) {
        await visit(host.page("p", "", "", false));
        // A download leaves the page where it is. (Firefox's driver would wait for another page.)
        await window.run(`location.href = ${JSON.stringify(urls[content])}`);
        await sleep(500);
        assert.equal(await window.run("return document.title"), "host", content);
      }
    });

    await t.test("text that a page has sent is read as it was sent", async () => {
      const write = await mint(server.origin, await create(server.origin, "text/plain"), "?upload=true");
      await visit(host.page("p", "", "", false));
      // With credentials, as the SDK of Medplum sends all that it sends.
      await window.run(`
        fetch(${JSON.stringify(write.url)}, { method: "PUT", body: "héllo", credentials: "include", headers: {} })
          .then(({ status }) => (window.status_ = status), (error) => (window.status_ = String(error)));`);
      assert.equal(await until("an answer", () => window.run("return window.status_")), 200);
      await window.open(await mint(server.origin, write.id).then(({ url }) => url));
      const text = await until("the text", () => window.run("return document.body?.innerText.trim()"));
      assert.equal(text, "héllo");
    });

    await t.test("a link that is none any more is explained", async () => {
      await window.open(urls.pdf.slice(0, -1));
      await until("a heading", () =>
        window.run(`return document.querySelector("h1")?.innerText === "This link is not valid."`),
      );
    });
  });
}

async function create(origin, type) {
  const response = await fetch(`${origin}/fhir/R4/Binary`, {
    method: "POST",
    headers: { authorization: "Bearer demo", "content-type": "application/fhir+json" },
    body: JSON.stringify({ resourceType: "Binary", contentType: type }),
  });
  return (await response.json()).id;
}

async function mint(origin, id, query = "") {
  const operation = `${origin}/fhir/R4/Binary/${id}/$presigned-url${query}`;
  const response = await fetch(operation, { headers: { authorization: "Bearer demo" } });
  return { id, url: (await response.json()).parameter[0].valueUri };
}

/** Stores content, and returns the URL that reads it. */
async function store(origin, type, content) {
  const { id, url } = await mint(origin, await create(origin, type), "?upload=true");
  const response = await fetch(url, { method: "PUT", headers: { "content-type": type }, body: content });
  assert.equal(response.status, 200);
  return (await mint(origin, id)).url;
}

/** A server of another origin, whose pages have stored content in them. */
async function startHost(t) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://host");
    if (pathname !== "/" && pathname !== "/script") {
      // The icon of the page.
      response.writeHead(204).end();
      return;
    }
    const isIsolated = searchParams.has("isolated") || pathname === "/script";
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    if (isIsolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    if (pathname === "/script") {
      response.end(`<!doctype html><script>${ran}</script>`);
      return;
    }
    const [tag, url, type] = ["tag", "url", "type"].map((name) => searchParams.get(name));
    const source = tag === "object" ? `data="${escape(url)}" type="${type}"` : `src="${escape(url)}"`;
    const more = { embed: `type="${type}"`, video: "muted", audio: "controls" }[tag] ?? "";
    response.end(
      `<!doctype html><title>host</title>` +
        `<script>window.heard = []; onmessage = ({ data }) => heard.push(data);</script>` +
        `<${tag} ${source} ${more} width="400" height="300"></${tag}>`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    page: (tag, url, type, isIsolated) =>
      `${origin}/?${new URLSearchParams({ tag, url, type, ...(isIsolated && { isolated: "" }) })}`,
  };
}

function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}

/** A bitmap of 64 by 64 pixels. */
function magentaPicture() {
  const pixels = Buffer.alloc(64 * 64 * 3, Buffer.from([255, 0, 255]));
  const header = Buffer.alloc(54);
  header.write("BM");
  header.writeUInt32LE(header.length + pixels.length, 2);
  header.writeUInt32LE(header.length, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(64, 18); // width
  header.writeInt32LE(64, 22); // height
  header.writeUInt16LE(1, 26); // planes
  header.writeUInt16LE(24, 28); // bits a pixel
  return Buffer.concat([header, pixels]);
}

function magentaPdf() {
  const drawing = "1 0 1 rg 0 0 595 842 re f";
  return Buffer.from(
    "%PDF-1.4\n" +
      "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
      "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
      "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<>>>>endobj\n" +
      `4 0 obj<</Length ${drawing.length}>>stream\n${drawing}\nendstream endobj\n` +
      "trailer<</Root 1 0 R>>",
  );
}
