// A Binary, as the server has it.

import assert from "node:assert/strict";

/** A Binary to write. */
export async function newScan(server) {
  const call = async (path, init) => {
    const headers = { Authorization: "Bearer demo", "Content-Type": "application/fhir+json" };
    const answer = await fetch(`${server.origin}/fhir/R4/Binary${path}`, { headers, ...init });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  };
  const presign = async (path) => (await call(path)).parameter[0].valueUri;
  const body = JSON.stringify({ resourceType: "Binary", contentType: "application/octet-stream" });
  const { id } = await call("", { method: "POST", body });
  return {
    writeUrl: () => presign(`/${id}/$presigned-url?upload=true`),
    /** It has no version yet. */
    async assertIsAbsent() {
      const answer = await fetch(await presign(`/${id}/$presigned-url`));
      assert.equal(answer.status, 404);
    },
    /** It has this content, in its first version, and no other. */
    async assertIs(content) {
      const url = await presign(`/${id}/$presigned-url`);
      assert.equal(new URL(url).pathname, `/storage/${id}/1`, "it is the first version");
      for (const method of ["GET", "HEAD", "GET"]) {
        const answer = await fetch(url, { method, headers: { "Want-Repr-Digest": "sha-256=1" } });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("etag"), '"1"');
        assert.equal(answer.headers.get("content-length"), String(content.length));
        const read = Buffer.from(await answer.arrayBuffer());
        assert.ok(method === "HEAD" || read.equals(content), "it has the bytes that were sent");
      }
      const next = await presign(`/${id}/$presigned-url?upload=true`);
      assert.equal(new URL(next).pathname, `/storage/${id}/2`, "there is no second version");
    },
  };
}
