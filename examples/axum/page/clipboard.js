// Copying text.

import { announce } from "./announcements.js";

/** Copies `text()` when the button is pressed, and says so on it for a moment. */
export function copyOnPress(button, what, text) {
  const label = button.textContent;
  let timer;
  button.addEventListener("click", async () => {
    const done = (await copy(text())) ? "Copied" : "Not copied";
    button.textContent = done;
    announce(`${what} ${done.toLowerCase()}`);
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = label), 2000);
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Pages that come through plain HTTP from another machine have no `navigator.clipboard`. */
function copyBySelection(text) {
  const focused = document.activeElement;
  const field = Object.assign(document.createElement("textarea"), { value: text });
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused.focus();
  return copied;
}
