// Numbers for people, and words for a shell.

/** A length, as `1.2 MB`. */
export function bytes(length) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = Math.min(Math.floor(Math.log10(length || 1) / 3), units.length - 1);
  return new Intl.NumberFormat("en", {
    style: "unit",
    unit: units[power],
    unitDisplay: power ? "short" : "long",
    maximumFractionDigits: 1,
  }).format(length / 1000 ** power);
}

/** A part of 1, as `62 %`. Less than all is never shown as 100 %. */
export function percent(part) {
  return `${Math.floor(part * 100)} %`;
}

/** A time in milliseconds, as `59:58`, `2 h 05 min` or `6 d 23 h`. A part of a second counts. */
export function duration(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const twoDigits = (number) => String(number).padStart(2, "0");
  if (hours >= 24) {
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  }
  if (hours >= 1) {
    return `${hours} h ${twoDigits(minutes % 60)} min`;
  }
  return `${minutes}:${twoDigits(seconds % 60)}`;
}

/** The text as one word of a POSIX shell. */
export function shellWord(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
