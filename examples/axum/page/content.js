// Content, as the page shows it.

/** The element that shows the content of a URL, if the browser can show its type. */
export function contentElement(url, contentType, name) {
  const [type] = contentType.split("/");
  if (type === "image") {
    return withFallback(Object.assign(new Image(), { alt: name, src: url }));
  }
  if (type === "video" || type === "audio") {
    const player = document.createElement(type);
    player.setAttribute("aria-label", name);
    return withFallback(
      Object.assign(player, { controls: true, playsInline: true, preload: "metadata", src: url }),
    );
  }
  if (contentType === "application/pdf" && navigator.pdfViewerEnabled) {
    // The fragment, which is not sent, keeps the viewer from listing the pages beside them.
    const src = `${url}#navpanes=0&view=FitH`;
    return Object.assign(document.createElement("iframe"), { title: name, src });
  }
  return null;
}

function withFallback(element) {
  element.addEventListener("error", () => {
    const text = "This browser cannot show the file.";
    element.replaceWith(Object.assign(document.createElement("p"), { textContent: text }));
  });
  return element;
}

/** True of a type that the storage lets a browser show in a tab. The others are downloaded. */
export function opensInTab(contentType) {
  return (
    /^(audio|video)\//.test(contentType) ||
    ["application/pdf", "text/plain"].includes(contentType) ||
    (contentType.startsWith("image/") && contentType !== "image/svg+xml")
  );
}
