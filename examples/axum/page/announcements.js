// Sentences for a screen reader.

const KEPT = 10;

export function announce(text) {
  const announcements = document.getElementById("announcements");
  announcements.append(Object.assign(document.createElement("p"), { textContent: text }));
  while (announcements.childElementCount > KEPT) {
    announcements.firstElementChild.remove();
  }
}
