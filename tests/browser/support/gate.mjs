// A way to the server that can be shut in the midst of an upload.

import { createServer, connect } from "node:net";
import { once } from "node:events";

import { startServer } from "./server.mjs";

/** Opens the demo page of a server whose storage is behind a gate that is shut. */
export async function openBehindGate({ t, newPage }) {
  const gate = await startGate(t, 1_000_000);
  const server = await startServer(t, { PRESIGN_STORAGE_URL: `${gate.origin}/storage` });
  gate.forwardTo(server.origin);
  const page = await newPage();
  await page.goto(server.origin);
  return { page, gate, server };
}

/**
 * Forwards connections to the port that `forwardTo` names. While it is shut, a connection gets
 * `limit` bytes through to the server and no more.
 */
async function startGate(t, limit) {
  const connections = new Set();
  let port;
  let isOpen = false;
  const gate = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    const connection = { client, server, passed: 0 };
    connections.add(connection);
    client.on("data", (chunk) => {
      connection.passed += chunk.length;
      server.write(chunk);
      if (!isOpen && connection.passed > limit) {
        client.pause();
      }
    });
    client.on("end", () => server.end());
    server.pipe(client);
    for (const [socket, other] of [[client, server], [server, client]]) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        other.destroy();
        connections.delete(connection);
      });
    }
  });
  gate.listen(0, "127.0.0.1");
  await once(gate, "listening");
  t.after(() => {
    gate.close();
    connections.forEach(({ client }) => client.destroy());
  });
  return {
    origin: `http://127.0.0.1:${gate.address().port}`,
    forwardTo: (origin) => (port = new URL(origin).port),
    open() {
      isOpen = true;
      connections.forEach(({ client }) => client.resume());
    },
  };
}
