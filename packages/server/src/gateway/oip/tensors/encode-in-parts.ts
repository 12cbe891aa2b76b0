/** Encodes a large answer. Its JSON is bytes: a string would take its memory once more, and holds at most 512 MiB. */
import { freePiece } from '@skein/api/owned-memory';
import { type encodeAnswer, type EncodedAnswer, writeAnswer } from '../http/answer.ts';

/** `encodeAnswer` in parts. */
export function encodeInParts(
  ...[model, id, outputs, choice, answer]: Parameters<typeof encodeAnswer>
): EncodedAnswer & { readonly json: Buffer } {
  const text = new TextBytes();
  const write = (part: string): void => text.write(part);
  const binary = writeAnswer(write, model, id, outputs, choice, answer);
  return { json: text.end(), binary };
}

/** Characters that are encoded at once. */
const PART = 1 << 20;

/** The UTF-8 bytes of a text that is written in parts: as a string, it would take its memory once more. */
class TextBytes {
  readonly #parts: Buffer[] = [];
  #text = '';

  write(part: string): void {
    this.#text += part;
    if (this.#text.length >= PART) this.#encode();
  }

  end(): Buffer {
    this.#encode();
    const length = this.#parts.reduce((sum, part) => sum + part.length, 0);
    const whole = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const part of this.#parts) {
      part.copy(whole, at);
      at += part.length;
      freePiece(part);
    }
    return whole;
  }

  #encode(): void {
    this.#parts.push(Buffer.from(this.#text));
    this.#text = '';
  }
}
