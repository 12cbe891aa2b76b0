/** Encodes a large answer. Its JSON is bytes in parts: a whole text would take their memory once more. */
import { type encodeAnswer, type EncodedAnswer, writeAnswer } from '../http/answer.ts';

/** Bytes of a part: a text of this size is encoded at once. */
const PART = 1 << 20;

const utf8 = new TextEncoder();

export function encodeInParts(
  ...[model, id, outputs, choice, answer]: Parameters<typeof encodeAnswer>
): EncodedAnswer & { readonly json: readonly Uint8Array[] } {
  const json: Uint8Array[] = [];
  let text = '';
  const encode = (): void => {
    // Unlike a small Buffer, it has memory of its own, which can be transferred.
    json.push(utf8.encode(text));
    text = '';
  };
  const write = (part: string): void => {
    text += part;
    if (text.length >= PART) encode();
  };
  const binary = writeAnswer(write, model, id, outputs, choice, answer);
  encode();
  return { json, binary };
}
