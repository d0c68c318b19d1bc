// The documents of the server: DocumentReferences, whose content comes through `Attachment.url`.

import { contentElement, opensInTab } from "./content.js";
import { Problem } from "./problem.js";

const section = document.getElementById("documents");
const list = section.querySelector("ul");
const problem = section.querySelector(".problem");

/** The number of the latest search: earlier answers no longer count. */
let asked = 0;

/**
 * Lists what the server has. The URLs in its answer are presigned: the pictures are read without
 * the token.
 */
export async function showDocuments(server) {
  asked += 1;
  const number = asked;
  try {
    const bundle = await server.search("DocumentReference", AbortSignal.timeout(30_000));
    if (number !== asked) {
      return;
    }
    const attachments = (bundle.entry ?? []).flatMap(({ resource }) =>
      (resource.content ?? []).map(({ attachment }) => attachment),
    );
    list.replaceChildren(...attachments.map(listItem));
    section.hidden = attachments.length === 0;
    problem.hidden = true;
  } catch (error) {
    if (number === asked) {
      list.replaceChildren();
      problem.textContent = Problem.from(error).text;
      problem.hidden = false;
      // Not every server has documents.
      section.hidden = error.status === 404;
    }
  }
}

function listItem({ contentType, title, url }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.textContent = title;
  link.href = url;
  link.rel = "noopener";
  if (opensInTab(contentType)) {
    link.target = "_blank";
  }
  const preview = contentType.startsWith("image/") ? contentElement(url, contentType, "") : null;
  item.append(...(preview ? [preview] : []), link);
  return item;
}
