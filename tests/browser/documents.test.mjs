// Resources whose `Attachment.url`s are presigned, in the hands of clients that know FHIR.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

import { SHL, SHLManifestBuilder, SHLViewer } from "kill-the-clipboard";

import { browserTest, choose, openDemo } from "./support/browser.mjs";
import { pdf, picture } from "./support/files.mjs";
import { startServer } from "./support/server.mjs";

const require = createRequire(import.meta.url);

/** Stores content, and returns the id of its Binary. */
async function createBinary(origin, { content }, contentType) {
  const binary = await call(origin, "/Binary", { contentType, body: content });
  return binary.id;
}

function create(origin, resource) {
  const body = JSON.stringify(resource);
  return call(origin, `/${resource.resourceType}`, { contentType: "application/fhir+json", body });
}

async function call(origin, path, { contentType, body } = {}) {
  const response = await fetch(`${origin}/fhir/R4${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      Accept: "application/fhir+json",
      Authorization: "Bearer demo",
      ...(contentType && { "Content-Type": contentType }),
    },
    body,
  });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
}

/** A Patient with a photo, and a DocumentReference with a PDF. */
async function createRecord(origin) {
  const photo = await createBinary(origin, picture, "image/png");
  const summary = await createBinary(origin, pdf, "application/pdf");
  const patient = await create(origin, {
    resourceType: "Patient",
    photo: [{ contentType: "image/png", url: `Binary/${photo}` }],
  });
  const document = await create(origin, {
    resourceType: "DocumentReference",
    status: "current",
    content: [{ attachment: { contentType: "application/pdf", url: `Binary/${summary}` } }],
  });
  return { patient: patient.id, document: document.id };
}

/** Shows the photo, and reads the PDF, with the URLs of the resources and no token. */
async function show({ patient, document }) {
  const image = new Image();
  image.src = patient.photo[0].url;
  await image.decode();
  const response = await fetch(document.content[0].attachment.url);
  const start = (await response.text()).slice(0, 5);
  return [image.naturalWidth, image.naturalHeight, response.headers.get("content-type"), start];
}

const SHOWN = [2, 1, "application/pdf", "%PDF-"];

browserTest("the page lists documents, whose pictures need no token", async (context) => {
  const { page, origin } = await openDemo(context);
  const reads = [];
  page.on("request", (request) => {
    if (request.url().startsWith(`${origin}/storage/`) && request.method() === "GET") {
      reads.push(request.headers());
    }
  });
  await choose(page, picture);
  const documents = page.getByRole("region", { name: "Documents on the server" });
  await documents.getByRole("link", { name: "picture.png" }).waitFor();
  const preview = documents.locator("img");
  const size = await preview.evaluate(async (image) => {
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  });
  assert.deepEqual(size, [2, 1]);
  assert.match(await preview.getAttribute("src"), /\/storage\/.*&Signature=/);
  assert.ok(reads.length > 0);
  assert.ok(reads.every((headers) => !("authorization" in headers)));
});

browserTest("the list is there again after a reload, and the page keeps no token", async (context) => {
  const { page } = await openDemo(context);
  const documents = page.getByRole("region", { name: "Documents on the server" });
  await choose(page, picture);
  await documents.getByRole("link", { name: "picture.png" }).waitFor();
  await page.reload();
  await documents.getByRole("link", { name: "picture.png" }).waitFor();
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!kept.includes("demo"), kept);
});

const refused = { expectedErrors: /401/ };
browserTest("a list that is refused says so, until the token is right", refused, async (context) => {
  const { page } = await openDemo(context);
  await choose(page, picture);
  const documents = page.getByRole("region", { name: "Documents on the server" });
  await documents.getByRole("link", { name: "picture.png" }).waitFor();
  const token = page.getByLabel("Bearer token");
  await token.fill("unknown");
  await token.press("Tab");
  await documents.getByText("The request has no valid credentials").waitFor();
  assert.equal(await documents.getByRole("link").count(), 0);
  await token.fill("demo");
  await token.press("Tab");
  await documents.getByRole("link", { name: "picture.png" }).waitFor();
  assert.equal(await documents.getByText("no valid credentials").isVisible(), false);
});

for (const [name, file, read] of [
  [
    "@medplum/core",
    "@medplum/core",
    async ({ origin, record }) => {
      const { MedplumClient } = globalThis.module.exports;
      const client = new MedplumClient({
        baseUrl: `${origin}/`,
        fhirUrlPath: "fhir/R4",
        accessToken: "demo",
        cacheTime: 0,
      });
      client.setAccessToken("demo");
      return {
        patient: await client.readResource("Patient", record.patient),
        document: await client.readResource("DocumentReference", record.document),
      };
    },
  ],
  [
    "fhirclient",
    "fhirclient/build/fhir-client.pure.js",
    async ({ origin, record }) => {
      const client = globalThis.FHIR.client({
        serverUrl: `${origin}/fhir/R4`,
        tokenResponse: { access_token: "demo" },
      });
      return {
        patient: await client.request(`Patient/${record.patient}`),
        document: await client.request(`DocumentReference/${record.document}`),
      };
    },
  ],
]) {
  browserTest(`${name} shows a photo and a PDF`, async ({ t, newPage }) => {
    const { origin } = await startServer(t);
    const record = await createRecord(origin);
    const page = await newPage();
    // Without the policy of the demo page, which allows no other script.
    await page.route(`${origin}/blank`, (route) =>
      route.fulfill({ contentType: "text/html", body: '<link rel="icon" href="data:,">' }),
    );
    await page.goto(`${origin}/blank`);
    // One of them is CommonJS; the other puts itself into the window.
    await page.evaluate("window.module = { exports: {} }");
    const script = readFileSync(require.resolve(file), "utf8");
    await page.addScriptTag({ content: `((exports) => {${script}\n})(module.exports)` });
    const shown = await page.evaluate(
      `(${read})(${JSON.stringify({ origin, record })}).then(${show})`,
    );
    assert.deepEqual(shown, SHOWN);
  });
}

test("a SMART Health Link hands out each of its files once", async (t) => {
  const { origin } = await startServer(t);
  const authorization = "Bearer demo";
  const uploadFile = async (jwe) => {
    const contentType = "application/jose";
    return createBinary(origin, { content: jwe }, contentType);
  };
  const getFileURL = async (id) => {
    const operation = `${origin}/fhir/R4/Binary/${id}/$presigned-url?once=true`;
    const response = await fetch(operation, { headers: { authorization } });
    const { parameter } = await response.json();
    return parameter[0].valueUri;
  };
  const shl = SHL.generate({ baseManifestURL: "https://shl.example.com/", label: "Test" });
  const options = { shl, uploadFile, getFileURL };
  const builder = new SHLManifestBuilder(options);
  const entry = [{ resource: { resourceType: "Patient", id: "1" } }];
  await builder.addFHIRResource({ content: { resourceType: "Bundle", type: "collection", entry } });

  const locations = [];
  const fetchImpl = async (url, init) => {
    if (url !== shl.url) {
      return fetch(url, init);
    }
    const manifest = await builder.buildManifest({ embeddedLengthMax: 0 });
    locations.push(...manifest.files.map(({ location }) => location));
    return new Response(JSON.stringify(manifest));
  };
  const viewer = new SHLViewer({ shlinkURI: shl.toURI(), fetch: fetchImpl });
  const { fhirResources } = await viewer.resolveSHL({ recipient: "Dr. Careful" });
  assert.equal(fhirResources[0].entry[0].resource.resourceType, "Patient");

  assert.equal(locations.length, 1);
  assert.ok(locations[0].startsWith(`${origin}/storage/`));
  const second = await fetch(locations[0]);
  assert.equal(second.status, 410);
  const outcome = await second.json();
  assert.equal(outcome.issue[0].details.coding[0].code, "used");
});
