// What the page has at the top: which server to use, and which files.

import { FhirServer } from "./fhir.js";
import { Transfer } from "./transfer.js";

const server = document.getElementById("server");
const token = document.getElementById("token");
const files = document.getElementById("files");
const drop = document.getElementById("drop");

// `?server=` names another one than that which the page came from.
const { searchParams } = new URL(location);
server.value = searchParams.get("server") ?? new URL("fhir/R4", document.baseURI).href;

document.getElementById("connection").addEventListener("submit", (event) => event.preventDefault());

files.addEventListener("change", () => {
  send([...files.files]);
  // So that the same file can be chosen again.
  files.value = "";
});

// A file that misses the drop zone must not replace the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.toggle("over", event.dataTransfer.types.includes("Files"));
});
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  send([...event.dataTransfer.files]);
});

/** Sends them all at once, the latest above the earlier. */
function send(chosen) {
  const transfers = chosen.map(
    (file) => new Transfer(file, () => new FhirServer(server.value, () => token.value)),
  );
  document.getElementById("transfers").prepend(...transfers.map(({ element }) => element));
  for (const transfer of transfers) {
    transfer.run();
  }
}
