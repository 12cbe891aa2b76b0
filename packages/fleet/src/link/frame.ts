/**
 * The messages between two nodes: a small object and the bytes of its tensors, as they are.
 *
 *   ┌──────────┬──────────┬─────────────────┬───────────────────────────────┐
 *   │ u32 head │ u32 body │ head: JSON, UTF-8│ body: tensor bytes, 8-aligned │
 *   └──────────┴──────────┴─────────────────┴───────────────────────────────┘
 *
 * Both lengths are little-endian and multiples of 8, the head padded with spaces. The bytes of a
 * tensor are neither encoded nor copied by the sender; the receiver reads them into one buffer, of
 * which its tensors are views.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { Tensor, TensorMap, ElementType } from '@skein/onnx';
import { elementCount, elementSize } from '@skein/onnx';
import { fromWire, packStrings } from '@skein/runtime/wire';

/** A tensor in a head; strings lie one after the other, with their lengths in front. */
type TensorEntry = readonly [
  name: string,
  type: ElementType,
  shape: readonly number[],
  bytes: number,
];

export interface Frame<Meta> {
  readonly meta: Meta;
  readonly tensors: Map<string, Tensor>;
  /** Memory that it takes. */
  readonly heldBytes: number;
}

const ALIGNMENT = 8;
const LENGTHS = 8;
/** A head has names and shapes, and the text of an error. */
const MAX_HEAD = 1024 * 1024;
/** From this size, in bytes, a frame is copied while it arrives. */
const LARGE = 2 ** 20;
/** The part of a large frame that must have arrived before memory for the whole is taken. */
const ARRIVED_PARTS = 8;
/** Memory of the view of one string in addition to its bytes, with Node 24. */
const STRING_BYTES = 128;
const PADDING = Buffer.alloc(ALIGNMENT);

/** The bytes of a frame, in parts. */
export function encodeFrame(meta: object, tensors?: TensorMap): Buffer[] {
  const entries: TensorEntry[] = [];
  const parts: Buffer[] = [];
  let body = 0;
  const add = (bytes: Uint8Array): void => {
    parts.push(bufferOf(bytes));
    const rest = -bytes.byteLength & (ALIGNMENT - 1);
    if (rest > 0) parts.push(PADDING.subarray(0, rest));
    body += bytes.byteLength + rest;
  };
  for (const [name, tensor] of tensors ?? []) {
    if (tensor.type === 'string') {
      const { lengths, bytes } = packStrings(tensor.shape, tensor.elements) as {
        readonly lengths: Uint32Array;
        readonly bytes: Uint8Array;
      };
      entries.push([name, 'string', tensor.shape, bytes.byteLength]);
      add(new Uint8Array(lengths.buffer));
      add(bytes);
    } else {
      entries.push([name, tensor.type, tensor.shape, tensor.bytes.byteLength]);
      add(tensor.bytes);
    }
  }
  const json = Buffer.from(JSON.stringify({ ...meta, tensors: entries }));
  const rest = -json.byteLength & (ALIGNMENT - 1);
  const head = Buffer.alloc(LENGTHS + json.byteLength + rest, ' ');
  head.writeUInt32LE(json.byteLength + rest, 0);
  head.writeUInt32LE(body, 4);
  json.copy(head, LENGTHS);
  return [head, ...parts];
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Reads frames from the chunks of a stream. */
export class FrameReader<Meta> {
  readonly #maxBytes: number;
  readonly #memory: Pick<BudgetHold, 'check'>;
  readonly #maxStrings: number;
  readonly #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes of the next frame, once its lengths are known. */
  #size = 0;
  /** The next frame, if it is large and a part of it has arrived, and how much of it is there. */
  #begun: Uint8Array | undefined;
  #copied = 0;

  /**
   * @param memory budget for the strings of a frame, which take more memory than their bytes.
   * @param maxStrings bound of the strings in all tensors of a frame.
   */
  constructor(maxBytes: number, memory: Pick<BudgetHold, 'check'>, maxStrings = Infinity) {
    this.#maxBytes = maxBytes;
    this.#memory = memory;
    this.#maxStrings = maxStrings;
  }

  /** Bytes that have arrived and that `next` has not returned. */
  get heldBytes(): number {
    return this.#held;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.byteLength;
  }

  /** The next frame, once it is whole. @throws Error for bytes that are not a frame, or one that is too large. */
  next(): Frame<Meta> | undefined {
    if (this.#size === 0) {
      if (this.#held < LENGTHS) return undefined;
      const start = this.#join(LENGTHS);
      const [head, body] = [start.readUInt32LE(0), start.readUInt32LE(4)];
      if (head > MAX_HEAD || LENGTHS + head + body > this.#maxBytes) {
        throw new Error(`A message of ${head} + ${body} bytes is larger than allowed.`);
      }
      this.#size = LENGTHS + head + body;
    }
    if (this.#held < this.#size) {
      this.#gather();
      return undefined;
    }
    const bytes = this.#take();
    try {
      return decodeFrame(bytes, this.#memory, this.#maxStrings);
    } catch (error) {
      free(bytes);
      throw error;
    }
  }

  /** Gives up what has arrived, and frees it at once: the next lie would come before it is collected. */
  drop(): void {
    this.#chunks.length = 0;
    this.#held = 0;
    if (this.#begun !== undefined) free(this.#begun);
    this.#begun = undefined;
  }

  /** The first bytes, joined. */
  #join(count: number): Buffer {
    if (this.#chunks[0]!.byteLength < count) {
      this.#chunks.splice(0, this.#chunks.length, Buffer.concat(this.#chunks));
    }
    return this.#chunks[0]!;
  }

  /** The next frame, in a buffer of its own, whose start is aligned. */
  #take(): Uint8Array {
    const bytes = this.#begun ?? new Uint8Array(this.#size);
    this.#copy(bytes, this.#size);
    this.#held -= this.#size;
    this.#size = 0;
    this.#begun = undefined;
    this.#copied = 0;
    return bytes;
  }

  /** Copies what has arrived of a large frame, so that its end does not copy all of it in one turn. */
  #gather(): void {
    if (this.#size < LARGE || this.#held < this.#size / ARRIVED_PARTS) return;
    this.#begun ??= new Uint8Array(this.#size);
    this.#copy(this.#begun, this.#held);
  }

  #copy(bytes: Uint8Array, upTo: number): void {
    let whole = 0;
    while (this.#copied < upTo) {
      const chunk = this.#chunks[whole]!;
      const part = chunk.subarray(0, upTo - this.#copied);
      bytes.set(part, this.#copied);
      this.#copied += part.byteLength;
      if (part.byteLength === chunk.byteLength) whole += 1;
      else this.#chunks[whole] = chunk.subarray(part.byteLength);
    }
    this.#chunks.splice(0, whole);
  }
}

function free({ buffer }: Uint8Array): void {
  (buffer as ArrayBuffer).transfer(0);
}

function decodeFrame<Meta>(
  bytes: Uint8Array,
  memory: Pick<BudgetHold, 'check'>,
  maxStrings: number,
): Frame<Meta> {
  const headLength = bufferOf(bytes).readUInt32LE(0);
  let at = LENGTHS + headLength;
  const head = bufferOf(bytes).toString('utf8', LENGTHS, at);
  const { tensors: entries, ...meta } = readJson(head, JSON_BOUNDS.frame) as {
    tensors: readonly TensorEntry[];
  };
  const next = (length: number): Uint8Array => {
    if (!(length >= 0) || at + length > bytes.byteLength) {
      throw new Error('A tensor is longer than its message.');
    }
    const part = bytes.subarray(at, at + length);
    at += length + (-length & (ALIGNMENT - 1));
    return part;
  };
  const tensors = new Map<string, Tensor>();
  let heldBytes = bytes.byteLength;
  let strings = 0;
  for (const [name, type, shape, length] of entries) {
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      throw new Error('A tensor has no shape.');
    }
    if (type === 'string') {
      const count = elementCount(shape);
      strings += count;
      if (strings > maxStrings) throw new Error(`A message has more than ${maxStrings} strings.`);
      const counts = next(count * Uint32Array.BYTES_PER_ELEMENT);
      heldBytes += count * STRING_BYTES;
      memory.check(heldBytes);
      const lengths = new Uint32Array(counts.buffer, counts.byteOffset, count);
      tensors.set(name, fromWire({ type, shape, lengths, bytes: next(length) }));
    } else {
      if (length !== elementCount(shape) * elementSize(type)) {
        throw new Error('A tensor has not the size of its shape.');
      }
      tensors.set(name, { type, shape, bytes: next(length) });
    }
  }
  return { meta: meta as Meta, tensors, heldBytes };
}
