// A line to a server, which breaks.

import { once } from "node:events";
import { connect, createServer } from "node:net";

// After resets, node at times waits at its end, and for ever, for a socket that it never closes.
process.on("exit", () => process.reallyExit(process.exitCode ?? 0));

/**
 * Forwards connections to what `forwardTo` names. Its origin stays the same, also while it is
 * down.
 */
export async function startLine(t) {
  const connections = new Set();
  let port;
  let left = Infinity;
  let onCut;
  let losesAnswers = false;
  const accept = (client) => {
    const server = connect(port, "127.0.0.1");
    const connection = { client, server };
    connections.add(connection);
    client.on("data", (chunk) => {
      const before = chunk.subarray(0, left);
      left -= before.length;
      server.write(before) || client.pause();
      if (left === 0) {
        left = Infinity;
        onCut();
        server.write(chunk.subarray(before.length));
      }
    });
    server.on("drain", () => client.resume());
    server.on("data", (chunk) => {
      if (losesAnswers) {
        losesAnswers = false;
        line.reset();
      } else {
        client.write(chunk) || server.pause();
      }
    });
    client.on("drain", () => server.resume());
    for (const [socket, other] of [[client, server], [server, client]]) {
      socket.on("end", () => other.end());
      socket.on("error", () => other.resetAndDestroy());
      socket.on("close", () => {
        other.destroySoon();
        connections.delete(connection);
      });
    }
  };
  const listen = async (at) => {
    const listener = createServer(accept).listen(at, "127.0.0.1");
    await once(listener, "listening");
    return listener;
  };
  let listener = await listen(0);
  const own = listener.address().port;
  const line = {
    origin: `http://127.0.0.1:${own}`,
    forwardTo: (origin) => (port = new URL(origin).port),
    /** Calls `cut` as soon as clients have sent so many bytes from now on. */
    cutAfter(bytes, cut) {
      left = bytes;
      onCut = cut;
    },
    reset() {
      for (const { client, server } of connections) {
        client.resetAndDestroy();
        server.resetAndDestroy();
      }
    },
    /** Passes what clients send, and has the next answer lost on its way. */
    loseAnswer: () => (losesAnswers = true),
    /** Cuts no more. */
    spare() {
      left = Infinity;
      losesAnswers = false;
    },
    /** Is not there for some time. */
    async goDown(milliseconds) {
      listener.close();
      line.reset();
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      listener = await listen(own);
    },
  };
  t.after(() => {
    listener.close();
    line.reset();
  });
  return line;
}
