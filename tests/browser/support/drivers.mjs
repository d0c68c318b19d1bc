// Chromium, Firefox and WebKit, as Debian has them, behind one interface: the commands of the
// WebDriver protocol (https://www.w3.org/TR/webdriver2/). Firefox takes them over Marionette, which
// is built in, so that it needs no further program.

import { spawn } from "node:child_process";
import { connect } from "node:net";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { decode } from "./png.mjs";
import { freePort } from "./port.mjs";

const engines = { chromium, firefox, webkit };
export const names = Object.keys(engines);

/** Opens a window, which ends with the test. */
export function openWindow(t, name) {
  const ends = [];
  t.after(async () => {
    for (const end of ends.reverse()) {
      await end();
    }
  });
  return engines[name]({ after: (end) => ends.push(end) });
}

/** The time that a browser has for each thing, in milliseconds. */
const PATIENCE = 60_000;

/** Repeats until the result is true, and returns it; `what` says what has not come. */
export async function until(what, attempt) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const result = await attempt();
    if (result) {
      return result;
    }
    if (Date.now() > end) {
      throw new Error(`It does not come: ${what}`);
    }
    await sleep(100);
  }
}

/** A browser window. `command` sends a command of the protocol. */
class Window {
  constructor(command) {
    this.command = command;
  }

  /** Begins to load a page, and waits for nothing. */
  async open(url) {
    await this.command("frame", { id: null });
    await this.command("url", { url });
  }

  /** The result of a function's body in the page, or in the frame of this number. */
  async run(script, frame = null) {
    await this.command("frame", { id: null });
    try {
      if (frame !== null) {
        await this.command("frame", { id: frame });
      }
      return await this.command("execute/sync", { script, args: [] });
    } catch {
      // It is just being loaded.
      return null;
    }
  }

  /** The number of pixels that have the colour of the test content. */
  async magenta() {
    // While a page is being loaded, some drivers have nothing to show.
    const png = await this.command("screenshot").catch(() => null);
    if (png === null) {
      return NaN;
    }
    const { width, height, at } = decode(Buffer.from(png, "base64"));
    let count = 0;
    for (let y = 0; y < height; y += 2) {
      for (let x = 0; x < width; x += 2) {
        const [red, green, blue] = at(x, y);
        count += red > 180 && green < 90 && blue > 180 ? 1 : 0;
      }
    }
    return count;
  }
}

async function chromium(t) {
  const folder = await scratch(t);
  const driver = await httpDriver(t, "chromedriver", process.env);
  return driver({
    browserName: "chrome",
    pageLoadStrategy: "none",
    "goog:chromeOptions": {
      binary: process.env.CHROMIUM,
      args: [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--autoplay-policy=no-user-gesture-required",
        `--user-data-dir=${folder}`,
      ],
      prefs: { "download.default_directory": folder },
    },
  });
}

async function webkit(t) {
  const display = await virtualDisplay(t);
  const home = await scratch(t);
  const env = { ...process.env, DISPLAY: display, HOME: home, NO_AT_BRIDGE: "1", LIBGL_ALWAYS_SOFTWARE: "1" };
  const driver = await httpDriver(t, "WebKitWebDriver", env);
  return driver({ pageLoadStrategy: "none" });
}

/** Starts a driver that speaks WebDriver over HTTP; returns a function that opens a window. */
async function httpDriver(t, program, env) {
  const port = await freePort();
  await start(t, program, [`--port=${port}`], env);
  const send = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body: body && JSON.stringify(body),
      // WebKit's driver at times never answers a script that a new page has overtaken.
      signal: AbortSignal.timeout(PATIENCE / 4),
    });
    const { value } = await response.json();
    if (!response.ok) {
      throw new Error(`${program}: ${path}: ${value.error}: ${value.message}`);
    }
    return value;
  };
  await until(program, () => fetch(`http://127.0.0.1:${port}/status`).catch(() => null));
  return async (alwaysMatch) => {
    const { sessionId } = await send("POST", "/session", { capabilities: { alwaysMatch } });
    t.after(() => send("DELETE", `/session/${sessionId}`).catch(() => null));
    return new Window((name, parameters) =>
      send(parameters ? "POST" : "GET", `/session/${sessionId}/${name}`, parameters),
    );
  };
}

/** https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html */
async function firefox(t) {
  const folder = await scratch(t);
  const preferences = {
    "marionette.port": 0,
    "browser.download.dir": folder,
    "browser.download.folderList": 2,
    "browser.shell.checkDefaultBrowser": false,
    "datareporting.policy.dataSubmissionEnabled": false,
    "media.autoplay.default": 0,
    "app.update.enabled": false,
    "network.captive-portal-service.enabled": false,
  };
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  await writeFile(join(folder, "user.js"), lines.join(""));
  const args = ["--headless", "--marionette", "--no-remote", "--profile", folder];
  await start(t, "firefox-esr", args, { ...process.env, HOME: folder });
  const portFile = join(folder, "MarionetteActivePort");
  const port = await until("Marionette", () => readFile(portFile, "utf8").catch(() => null));

  const socket = connect(Number(port), "127.0.0.1");
  t.after(() => socket.destroy());
  await once(socket, "connect");
  const pending = new Map();
  let received = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const colon = received.indexOf(":");
      const length = Number(received.subarray(0, colon));
      if (colon === -1 || received.length < colon + 1 + length) {
        return;
      }
      const message = JSON.parse(received.subarray(colon + 1, colon + 1 + length));
      received = received.subarray(colon + 1 + length);
      if (Array.isArray(message)) {
        const [, id, error, result] = message;
        const { resolve, reject } = pending.get(id);
        error ? reject(new Error(`${error.error}: ${error.message}`)) : resolve(result);
      }
    }
  });
  let last = 0;
  const send = (name, parameters) =>
    new Promise((resolve, reject) => {
      last += 1;
      pending.set(last, { resolve, reject });
      const message = JSON.stringify([0, last, `WebDriver:${name}`, parameters ?? {}]);
      socket.write(`${Buffer.byteLength(message)}:${message}`);
    });
  await send("NewSession", { capabilities: { alwaysMatch: { pageLoadStrategy: "none" } } });
  const names = {
    url: "Navigate",
    frame: "SwitchToFrame",
    "execute/sync": "ExecuteScript",
    screenshot: "TakeScreenshot",
  };
  return new Window(async (name, parameters) => {
    const more = name === "screenshot" ? { full: false, hash: false } : parameters;
    return (await send(names[name], more)).value;
  });
}

async function virtualDisplay(t) {
  const server = await start(t, "Xvfb", ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"], process.env, "pipe");
  const [number] = await once(server.stdio[3], "data");
  return `:${String(number).trim()}`;
}

/** A process that ends with the test, and all that it has started. */
async function start(t, program, args, env, extra = "ignore") {
  const child = spawn(program, args, { env, detached: true, stdio: ["ignore", "ignore", "ignore", extra] });
  const ended = once(child, "close");
  t.after(async () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await ended;
  });
  await once(child, "spawn");
  return child;
}

async function scratch(t) {
  const folder = await mkdtemp(join(tmpdir(), "presign-engine-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
