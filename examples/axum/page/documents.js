// The documents of the server: DocumentReferences, whose content comes through `Attachment.url`.

import { contentElement, opensInTab } from "./content.js";

const section = document.getElementById("documents");
const list = section.querySelector("ul");
const problem = section.querySelector(".problem");

/**
 * Lists what the server has. The URLs in its answer are presigned: the pictures are read without
 * the token.
 */
export async function showDocuments(server) {
  try {
    const bundle = await server.search("DocumentReference", AbortSignal.timeout(30_000));
    const attachments = (bundle.entry ?? []).flatMap(({ resource }) =>
      (resource.content ?? []).map(({ attachment }) => attachment),
    );
    list.replaceChildren(...attachments.map(listItem));
    section.hidden = attachments.length === 0;
    problem.hidden = true;
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    section.hidden = false;
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
