// Chance that can be repeated.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** A number of 32 bits, by SplitMix32. */
  next() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** A whole number, `from` included and `to` not. */
  between(from, to) {
    return from + (this.next() % (Math.floor(to) - from));
  }

  bytes(length) {
    const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => this.next());
    return Buffer.from(words.buffer, 0, length);
  }
}
