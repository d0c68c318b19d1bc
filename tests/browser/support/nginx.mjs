// nginx, in front of a server.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "./port.mjs";

/** Starts one that has these settings for bodies. `restart` kills it, and starts it again. */
export async function startNginx(t, target, settings) {
  const folder = await mkdtemp(join(tmpdir(), "presign-nginx-"));
  const port = await freePort();
  const { host } = new URL(target);
  const config = join(folder, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await writeFile(
    config,
    `daemon off;
     ${process.getuid?.() === 0 ? "user root;" : ""}
     worker_processes 1;
     pid ${folder}/pid;
     error_log stderr crit;
     events {}
     http {
       access_log off;
       ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}
       server {
         listen 127.0.0.1:${port};
         ${settings}
         location / {
           proxy_pass http://${host};
           proxy_http_version 1.1;
         }
       }
     }`,
  );
  let nginx;
  const start = async () => {
    // Its worker is in its process group, and is killed with it.
    nginx = spawn("nginx", ["-c", config, "-e", "stderr"], { detached: true, stdio: "ignore" });
    await untilListening(port);
  };
  const kill = async () => {
    process.kill(-nginx.pid, "SIGKILL");
    await once(nginx, "exit");
  };
  t.after(async () => {
    await kill();
    await rm(folder, { recursive: true });
  });
  await start();
  return {
    origin: `http://127.0.0.1:${port}`,
    async restart() {
      await kill();
      await start();
    },
  };
}

async function untilListening(port) {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return socket.destroy();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
