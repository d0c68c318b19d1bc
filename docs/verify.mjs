// Verifies presigned URLs of the format tower-presign/v1 in browsers, in node and at edges:
// WebCrypto is enough.

const [base64url, number, random] = ["[\\w-]*", "(?:0|[1-9]\\d*)", "[A-Za-z\\d]{16,64}"];
const values = {
  "Content-Type": base64url, Context: base64url, Expires: number, Filename: base64url, Id: random,
  "Key-Pair-Id": "[\\w-]{1,64}", "Max-Length": number, Place: base64url, Resume: random,
};
const id = "(?!\\.\\.?[/?])[\\w.-]{1,64}";

/** Matches targets that have these claims in this order. Those with "?" may be missing. */
function pattern(claims) {
  const query = claims.replace(/([\w-]+)=?(\w*)(\??) ?/g, (_, name, value, optional) =>
    `(?:${name}=${value || values[name]}&)${optional}`);
  return new RegExp(`^/${id}/${id}\\?${query}$`);
}

/** The kinds of grants, and the methods that may use them. */
const grants = [
  [pattern("Context? Disposition=attachment? Expires Filename? Id? Key-Pair-Id Once=1? Place?"),
    ["GET", "HEAD"]],
  [pattern("Content-Type Context? Expires Id? Key-Pair-Id Max-Length? Method=PUT"),
    ["PUT"]],
  [pattern("Content-Type Context? Expires Id? Key-Pair-Id Max-Length? Method=PATCH Resume"),
    ["PATCH", "HEAD", "DELETE"]],
];

const utf8 = (text) => new TextEncoder().encode(text);
const decode = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (byte) => byte.charCodeAt(0));
const hmac = { name: "HMAC", hash: "SHA-256" };
const hmacKey = (secret) => crypto.subtle.importKey("raw", secret, hmac, false, ["sign", "verify"]);
const signingKey = async (secret) =>
  hmacKey(await crypto.subtle.sign(hmac, await hmacKey(secret), utf8("tower-presign/v1")));
const stringToSign = (base, target) => utf8(`tower-presign/v1\n${base}\n${target}`);

/**
 * The claims of a URL as an object, with `binary` and `version`; null if it grants nothing.
 *
 * `base` is the storage base URL without a slash at its end, `secrets` a Map of the secrets
 * (`Uint8Array`) by key id, `now` a number of Unix seconds. A URL with the claim Once is for one
 * download: the caller counts them, by the claim Id.
 */
export async function verify(url, base, secrets, method, now, maxLifetime = 7 * 24 * 60 * 60) {
  if (!url.startsWith(`${base}/`)) return null;
  // 43 characters have two bits more than a MAC: the last character must leave them zero.
  const [, target, signature] =
    /^(.*)&Signature=([\w-]{42}[AEIMQUYcgkosw048])$/.exec(url.slice(base.length)) ?? [];
  const secret = secrets.get(/.*&Key-Pair-Id=([^&]*)/.exec(target)?.[1]);
  if (!secret) return null;
  const [key, signed] = [await signingKey(secret), stringToSign(base, target)];
  if (!(await crypto.subtle.verify(hmac, key, decode(signature), signed))) return null;

  // Only now is it known who wrote this. A claim that is not known here must not be ignored.
  const [, methods] = grants.find(([pattern]) => pattern.test(`${target}&`)) ?? [];
  if (!methods?.includes(method)) return null;
  const [path, query] = target.split("?");
  const grant = Object.fromEntries(query.split("&").map((claim) => claim.split("=")));
  if (grant.Once && !grant.Id) return null;
  if (grant.Expires <= now || grant.Expires - now > maxLifetime) return null;
  try {
    for (const name of Object.keys(grant).filter((name) => values[name] === base64url)) {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      grant[name] = text.decode(decode(grant[name]));
    }
  } catch {
    return null;
  }
  [, grant.binary, grant.version] = path.split("/");
  return grant;
}

/** Holds the verifier against one case of tests/vectors.json. */
async function check({ url, input: given }, assert) {
  const { base, expires, method = "GET" } = given;
  const secret = Uint8Array.from(given.secret_hex.match(/../g), (byte) => parseInt(byte, 16));
  const usual = { base, secrets: new Map([[given.key_id, secret]]), method, now: expires - 1 };
  const verifyWith = (url, changes) => {
    const { base, secrets, method, now } = { ...usual, ...changes };
    return verify(url, base, secrets, method, now);
  };
  const accepted = async (url, changes) => assert(await verifyWith(url, changes), url);
  const refused = async (url, changes) => assert.equal(await verifyWith(url, changes), null, url);

  const names = {
    id: "binary", version: "version", content_type: "Content-Type", context: "Context",
    disposition: "Disposition", expires: "Expires", filename: "Filename", url_id: "Id",
    key_id: "Key-Pair-Id", max_length: "Max-Length", method: "Method", once: "Once",
    place: "Place", resume: "Resume",
  };
  const grant = Object.entries(given).filter(([name]) => name in names)
    .map(([name, value]) => [names[name], value === true ? "1" : String(value)]);
  assert.deepEqual(await verifyWith(url), Object.fromEntries(grant));

  // The right time and method, and no others.
  const longest = 7 * 24 * 60 * 60;
  await accepted(url, { now: expires - longest });
  await refused(url, { now: expires - longest - 1 });
  await refused(url, { now: expires });
  const methods = { GET: ["GET", "HEAD"], PUT: ["PUT"], PATCH: ["HEAD", "PATCH", "DELETE"] };
  for (const other of ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]) {
    await (methods[method].includes(other) ? accepted : refused)(url, { method: other });
  }

  // Not a character may differ from what was signed, nor the base, nor the key.
  await refused(url, { base: `${base}/other` });
  await refused(url, { secrets: new Map() });
  await refused(url, { secrets: new Map([[given.key_id, new Uint8Array(32)]]) });
  await refused(`${url}&Method=PUT`);
  for (const [position, character] of [...url].entries()) {
    // The neighbour differs in the last bit, which the signature's last character does not use.
    const neighbour = String.fromCharCode(character.charCodeAt(0) ^ 1);
    const others = ["", "a", "B", "=", "ä", neighbour].filter((other) => other !== character);
    for (const other of others) {
      await refused(url.slice(0, position) + other + url.slice(position + 1));
    }
  }

  // A right signature does not help a target that is not of this format.
  const signed = async (target) => {
    const key = await signingKey(secret);
    const mac = await crypto.subtle.sign(hmac, key, stringToSign(base, target));
    const base64 = btoa(String.fromCharCode(...new Uint8Array(mac)));
    const signature = base64.replace(/\+/g, "-").replace(/\//g, "_").replace("=", "");
    return `${base}${target}&Signature=${signature}`;
  };
  const target = url.slice(base.length, url.lastIndexOf("&Signature="));
  const [path, query] = target.split("?");
  const claims = query.split("&");
  assert.equal(await signed(target), url);
  await refused(await signed(`/folder${target}`));
  await refused(await signed(`${path}?${claims.toReversed().join("&")}`));
  await refused(await signed(`/..${path.slice(path.lastIndexOf("/"))}?${query}`));
  for (const [position, claim] of claims.entries()) {
    const [name] = claim.split("=");
    const changes = [`${claim}&${claim}`, `New=1&${claim}`, `${claim}&New=1`, `${claim}!`];
    // No length that base64 has, and no UTF-8.
    if (values[name] === base64url) changes.push(`${name}=A`, `${name}=_w`);
    for (const changed of changes) {
      await refused(await signed(`${path}?${claims.with(position, changed).join("&")}`));
    }
    const isNeeded = ["Content-Type", "Expires", "Key-Pair-Id", "Method", "Resume"].includes(name);
    if (isNeeded || (name === "Id" && given.once)) {
      await refused(await signed(`${path}?${claims.toSpliced(position, 1).join("&")}`));
    }
  }
}

// node docs/verify.mjs tests/vectors.json
if (globalThis.process?.argv?.[1]?.endsWith("verify.mjs")) {
  const { default: assert } = await import("node:assert/strict");
  const { readFile } = await import("node:fs/promises");
  const { cases } = JSON.parse(await readFile(process.argv[2], "utf8"));
  assert(cases.length > 0, "no cases");
  for (const one of cases) await check(one, assert);
  console.log(`${cases.length} URLs are accepted, and refused with any change.`);
}
