const api = new URL("fhir/R4/", document.baseURI);
const element = (id) => document.getElementById(id);

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  reset();
  element("send").disabled = true;
  try {
    await sendAndShow(element("file").files[0]);
  } catch (error) {
    element("problem").textContent = error.message;
    element("problem").hidden = false;
  } finally {
    element("send").disabled = false;
  }
});

async function sendAndShow(file) {
  const contentType = file.type || "application/octet-stream";

  const binary = await call("Binary", {
    method: "POST",
    headers: { "Content-Type": "application/fhir+json" },
    body: JSON.stringify({ resourceType: "Binary", contentType }),
  });
  report("create", `Binary/${binary.id}, for content of type ${contentType}`);

  const writeUrl = await mint(binary.id, "?upload=true");
  report("mint-write", writeUrl);

  await upload(writeUrl, contentType, file);
  report("upload", `${file.size.toLocaleString()} bytes sent`);

  const readUrl = await mint(binary.id, "");
  report("mint-read", readUrl);

  show(readUrl, contentType, file.name);
}

async function mint(id, query) {
  const parameters = await call(`Binary/${id}/$presigned-url${query}`);
  return parameters.parameter.find(({ name }) => name === "url").valueUri;
}

/** Calls the FHIR API, with the token. */
async function call(path, { headers, ...options } = {}) {
  const authorization = `Bearer ${element("token").value}`;
  const response = await fetch(new URL(path, api), {
    ...options,
    headers: { Accept: "application/fhir+json", Authorization: authorization, ...headers },
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(explain(text, response.status));
  }
  return JSON.parse(text);
}

/** Sends the file, without the token. `fetch` does not tell how far an upload is. */
function upload(url, contentType, file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", contentType);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      element("progress").value = loaded / total;
    });
    request.addEventListener("load", () => {
      if (request.status === 200) {
        element("progress").value = 1;
        resolve();
      } else {
        reject(new Error(explain(request.responseText, request.status)));
      }
    });
    request.addEventListener("error", () => reject(new Error("The connection broke.")));
    request.send(file);
  });
}

/** What an OperationOutcome says. */
function explain(text, status) {
  try {
    const [{ details, diagnostics }] = JSON.parse(text).issue;
    return [details?.text, diagnostics].filter(Boolean).join(" ");
  } catch {
    return `The server answered with status ${status}.`;
  }
}

function show(url, contentType, name) {
  const [type] = contentType.split("/");
  const content = element("content");
  if (type === "image") {
    content.append(Object.assign(new Image(), { src: url, alt: name }));
  } else if (type === "video" || type === "audio") {
    const player = Object.assign(document.createElement(type), { src: url, controls: true });
    player.setAttribute("aria-label", name);
    content.append(player);
  } else if (contentType === "application/pdf") {
    content.append(Object.assign(document.createElement("iframe"), { src: url, title: name }));
  }
  const link = { href: url, textContent: `Open ${name}`, target: "_blank", rel: "noopener" };
  content.append(Object.assign(document.createElement("a"), link));
}

function report(step, text) {
  element(step).querySelector("[role=status]").textContent = text;
}

function reset() {
  element("problem").hidden = true;
  element("steps").hidden = false;
  element("progress").value = 0;
  element("content").replaceChildren();
  for (const status of document.querySelectorAll("[role=status]")) {
    status.textContent = "";
  }
}
