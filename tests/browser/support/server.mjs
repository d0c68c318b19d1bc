// The example server, as its own process.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Starts one on a free port, with the settings given, and ends it with the test. `restart` kills
 * it, and starts it again with its content: then `origin` is another.
 */
export async function startServer(t, settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "presign-browser-"));
  const env = { PRESIGN_LISTEN: "127.0.0.1:0", PRESIGN_DATA: join(folder, "data"), ...settings };
  let kill;
  const server = {
    async start() {
      const process = spawn(globalThis.process.env.EXAMPLE_SERVER, {
        env,
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = new Promise((resolve) => process.once("close", resolve));
      kill = () => {
        process.kill("SIGKILL");
        return ended;
      };
      server.origin = await printedOrigin(process);
    },
    async restart() {
      await kill();
      await server.start();
    },
  };
  t.after(async () => {
    await kill();
    await rm(folder, { recursive: true });
  });
  await server.start();
  return server;
}

function printedOrigin(server) {
  return new Promise((resolve, reject) => {
    let printed = "";
    server.stdout.on("data", (text) => {
      printed += text;
      const line = /^Demo page: (.*)\/\n/m.exec(printed);
      if (line) {
        resolve(line[1]);
      }
    });
    server.once("error", reject);
    server.once("close", () => reject(new Error(`The server ended. It printed: ${printed}`)));
  });
}
