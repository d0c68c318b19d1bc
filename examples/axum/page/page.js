// The top of the page: the server to use, and the files.

import { showDocuments } from "./documents.js";
import { FhirServer } from "./fhir.js";
import { Transfer } from "./transfer.js";
import { unfinished } from "./unfinished.js";

const server = document.getElementById("server");
const token = document.getElementById("token");
const files = document.getElementById("files");
const drop = document.getElementById("drop");

// `?server=` names another one than that which the page came from.
const { searchParams } = new URL(location);
server.value = searchParams.get("server") ?? new URL("fhir/R4", document.baseURI).href;

document.getElementById("connection").addEventListener("submit", (event) => event.preventDefault());

// The list of the server outlives the page, and no token has to be kept for it.
const list = () => showDocuments(serverAt(server.value));
server.addEventListener("change", list);
token.addEventListener("change", list);
list();

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

/** The transfers whose file is to be chosen again. */
const interrupted = new Set();

const options = {
  currentServer: () => serverAt(server.value),
  chooseFile: () => files.click(),
};

for (const entry of unfinished()) {
  showInterrupted(Transfer.interrupted(entry, serverAt(entry.server), options));
}

async function showInterrupted(transfer) {
  if (await transfer.isThere()) {
    interrupted.add(transfer);
    show([transfer]);
  }
}

/** Sends them all at once, the latest above the earlier. */
function send(chosen) {
  const transfers = chosen.filter((file) => !goesOn(file)).map((file) => new Transfer(file, options));
  show(transfers);
  for (const transfer of transfers) {
    transfer.run();
  }
}

/** Goes on with the upload of the file that was interrupted, if there is one. */
function goesOn(file) {
  for (const transfer of interrupted) {
    if (transfer.isOf(file)) {
      interrupted.delete(transfer);
      transfer.goOn(file);
      return true;
    }
  }
  return false;
}

function show(transfers) {
  document.getElementById("transfers").prepend(...transfers.map(({ element }) => element));
}

function serverAt(base) {
  return new FhirServer(base, () => token.value);
}
