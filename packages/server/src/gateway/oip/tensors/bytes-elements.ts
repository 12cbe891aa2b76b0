/**
 * Byte strings on the wire: each element is its length as a little-endian 32-bit integer, then its
 * bytes. Decoding returns views on the received bytes, never copies.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { SkeinError } from '@skein/api';
import { invalidData } from '../../brief.ts';

const LENGTH_BYTES = 4;

/**
 * @param count elements that must fill `bytes` exactly.
 * @throws SkeinError INPUT_DATA.
 */
export function decodeElements(bytes: Uint8Array, count: number, input: string): Uint8Array[] {
  if (count * LENGTH_BYTES > bytes.length) throw unfilled(bytes, count, input);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + LENGTH_BYTES > bytes.length) throw unfilled(bytes, count, input);
    const start = at + LENGTH_BYTES;
    at = start + view.getUint32(at, true);
    if (at > bytes.length) throw unfilled(bytes, count, input);
    elements.push(new Uint8Array(bytes.buffer, bytes.byteOffset + start, at - start));
  }
  if (at !== bytes.length) throw unfilled(bytes, count, input);
  return elements;
}

function unfilled(bytes: Uint8Array, count: number, input: string): SkeinError {
  return invalidData(
    `Input "${input}": its ${bytes.length} bytes are not ${count} elements of a 4-byte length and that many bytes each.`,
  );
}

export function encodeElements(elements: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const element of elements) size += LENGTH_BYTES + element.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const element of elements) {
    at = bytes.writeUInt32LE(element.length, at);
    bytes.set(element, at);
    at += element.length;
  }
  return bytes;
}

/** Bytes encoded before the event loop runs: a few milliseconds. */
const ELEMENTS_PER_TURN = 16_384;
const BYTES_PER_TURN = 4 * 1024 * 1024;
/** Elements that are encoded without a copy. */
const LARGE_BYTES = 256 * 1024;

/** `encodeElements` in pieces; the event loop runs between them. */
export async function encodeElementsInTurns(
  elements: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let from = 0;
  let bytes = 0;
  const encodeUntil = (to: number): void => {
    if (to > from) pieces.push(encodeElements(elements.slice(from, to)));
    from = to;
    bytes = 0;
  };
  for (const [index, element] of elements.entries()) {
    if (element.length > LARGE_BYTES) {
      encodeUntil(index);
      const length = Buffer.allocUnsafe(LENGTH_BYTES);
      length.writeUInt32LE(element.length);
      pieces.push(length, element);
      from = index + 1;
    } else if (index - from === ELEMENTS_PER_TURN || bytes + element.length > BYTES_PER_TURN) {
      encodeUntil(index);
      bytes = element.length;
      await turn();
    } else {
      bytes += element.length;
    }
  }
  encodeUntil(elements.length);
  return pieces;
}
