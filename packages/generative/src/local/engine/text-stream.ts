/**
 * Turns tokens into text that can be shown at once: a character whose bytes are spread over tokens
 * waits for its last one, and text that may be the beginning of a stop string waits until it is not.
 */
export class TextStream {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #stops: readonly string[];
  #held = '';
  #ended = false;
  #decoded = 0;
  #shown = 0;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Whether a stop string has come; `push` then returned the text before it. */
  get stopped(): boolean {
    return this.#ended;
  }

  /** Characters so far, waiting ones included; also the place of a character whose bytes are incomplete. */
  get decoded(): number {
    return this.#decoded;
  }

  /** Decoded characters that were returned. */
  get shown(): number {
    return this.#shown;
  }

  /** The text that is certain after these bytes. */
  push(bytes: Uint8Array): string {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The rest, once no token follows. An incomplete character becomes U+FFFD. */
  end(): string {
    if (this.#ended) return '';
    const text = this.#take(this.#decoder.decode());
    if (this.#ended) return text;
    this.#shown = this.#decoded;
    return text + this.#held;
  }

  #take(text: string): string {
    if (this.#ended) return '';
    this.#decoded += text.length;
    const certain = this.#certain(text);
    this.#shown += certain.length;
    return certain;
  }

  #certain(text: string): string {
    if (this.#stops.length === 0) return text;
    const whole = this.#held + text;
    let cut = Infinity;
    for (const stop of this.#stops) {
      const at = whole.indexOf(stop);
      if (at !== -1) cut = Math.min(cut, at);
    }
    if (cut !== Infinity) {
      this.#ended = true;
      return whole.slice(0, cut);
    }
    const kept = Math.max(...this.#stops.map((stop) => overlap(whole, stop)));
    this.#held = whole.slice(whole.length - kept);
    return whole.slice(0, whole.length - kept);
  }
}

/** Length of the longest end of the text that begins the stop string. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
