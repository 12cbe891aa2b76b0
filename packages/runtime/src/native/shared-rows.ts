/**
 * The rows of a session's next run, in memory that both threads see. The caller adds to them until the session's
 * thread takes them, which it does when the run before has ended.
 *
 *            ┌──▶ adding ──┐
 *   idle ──▶ open ◀────────┘ ──▶ taken ──▶ idle
 *             └──▶ withdrawn ────▶ idle
 *
 * The caller changes what is idle or open, the session's thread what is open or withdrawn, by one atomic exchange
 * each; so the rows of a run are those whose `add` returned true, and no others.
 */
import { elementSize, type NumericTensor, type TensorMap } from '@skein/onnx/tensor';

const IDLE = 0;
const OPEN = 1;
const ADDING = 2;
const TAKEN = 3;
const WITHDRAWN = 4;

/** Words at the start of the memory: one of the states, and how many rows there are. */
const STATE = 0;
const ROWS = 1;
const HEADER_BYTES = 64;
/** Largest size of all rows of one run. Larger ones are copied for longer than their replica would wait. */
const MAX_BYTES = 256 * 1024;
/** The start of an input is a multiple of this. */
const ALIGNED = 8;

/** Where the rows of each input lie. */
export interface RowLayout {
  readonly inputs: readonly InputLayout[];
  /** The most rows that fit. */
  readonly capacity: number;
}

interface InputLayout {
  readonly name: string;
  readonly type: NumericTensor['type'];
  /** Bytes of one row. */
  readonly shape: readonly number[];
  readonly rowBytes: number;
  readonly offset: number;
}

/** @returns undefined for texts, for inputs without a first dimension, and where two rows do not fit. */
function layoutOf(feeds: TensorMap): RowLayout | undefined {
  const parts: Omit<InputLayout, 'offset'>[] = [];
  let sum = 0;
  for (const [name, { type, shape }] of feeds) {
    if (type === 'string' || shape.length === 0) return undefined;
    const row = shape.slice(1);
    const rowBytes = row.reduce((product, size) => product * size, elementSize(type));
    parts.push({ name, type, shape: row, rowBytes });
    sum += rowBytes;
  }
  const capacity = Math.floor((MAX_BYTES - ALIGNED * parts.length) / sum);
  if (!(capacity >= 2 && capacity < Infinity)) return undefined;
  let offset = HEADER_BYTES;
  const inputs = parts.map((part) => {
    const own = { ...part, offset };
    offset += Math.ceil((capacity * part.rowBytes) / ALIGNED) * ALIGNED;
    return own;
  });
  return { inputs, capacity };
}

function isOf({ inputs }: RowLayout, feeds: TensorMap): boolean {
  if (feeds.size !== inputs.length) return false;
  return inputs.every(({ name, type, shape }) => {
    const tensor = feeds.get(name);
    if (tensor?.type !== type || tensor.shape.length !== shape.length + 1) return false;
    return shape.every((size, i) => size === tensor.shape[i + 1]);
  });
}

/** The caller's side. */
export class SharedRows {
  readonly memory = new SharedArrayBuffer(HEADER_BYTES + MAX_BYTES);
  readonly #words = new Int32Array(this.memory, 0, 2);
  readonly #bytes = new Uint8Array(this.memory);
  #layout: RowLayout | undefined;

  /** @returns undefined while the last rows have not been taken, and when these cannot be shared. */
  open(feeds: TensorMap): { readonly layout: RowLayout; readonly isNew: boolean } | undefined {
    if (Atomics.load(this.#words, STATE) !== IDLE) return undefined;
    const isNew = this.#layout === undefined || !isOf(this.#layout, feeds);
    const layout = isNew ? layoutOf(feeds) : this.#layout;
    this.#words[ROWS] = 0;
    if (layout === undefined || !this.#write(layout, feeds)) return undefined;
    this.#layout = layout;
    Atomics.store(this.#words, STATE, OPEN);
    return { layout, isNew };
  }

  /** @returns false when they have been taken, and when these have another layout or do not fit. */
  add(layout: RowLayout, feeds: TensorMap): boolean {
    if (Atomics.compareExchange(this.#words, STATE, OPEN, ADDING) !== OPEN) return false;
    const isAdded = isOf(layout, feeds) && this.#write(layout, feeds);
    Atomics.store(this.#words, STATE, OPEN);
    return isAdded;
  }

  /** @returns false when they have been taken. */
  withdraw(): boolean {
    return Atomics.compareExchange(this.#words, STATE, OPEN, WITHDRAWN) === OPEN;
  }

  #write({ inputs, capacity }: RowLayout, feeds: TensorMap): boolean {
    const from = this.#words[ROWS]!;
    const tensors = inputs.map(({ name }) => feeds.get(name) as NumericTensor);
    const rows = tensors[0]!.shape[0]!;
    if (from + rows > capacity) return false;
    // Bytes that do not fill their shape are the caller's fault, which an ordinary run reports.
    if (inputs.some(({ rowBytes }, i) => tensors[i]!.bytes.byteLength !== rows * rowBytes)) {
      return false;
    }
    for (const [i, { offset, rowBytes }] of inputs.entries()) {
      this.#bytes.set(tensors[i]!.bytes, offset + from * rowBytes);
    }
    this.#words[ROWS] = from + rows;
    return true;
  }
}

/** Takes the rows: the side of the session's thread. @returns a copy, or undefined when they were withdrawn. */
export function takeRows(
  memory: SharedArrayBuffer,
  { inputs }: RowLayout,
): (readonly [name: string, tensor: NumericTensor])[] | undefined {
  const words = new Int32Array(memory, 0, 2);
  let state = ADDING;
  // For the microseconds in which a row is copied.
  while (state === ADDING) state = Atomics.compareExchange(words, STATE, OPEN, TAKEN);
  const rows = words[ROWS]!;
  const feeds =
    state === OPEN
      ? inputs.map(({ name, type, shape, rowBytes, offset }) => {
          const bytes = Buffer.allocUnsafeSlow(rows * rowBytes);
          bytes.set(new Uint8Array(memory, offset, rows * rowBytes));
          return [name, { type, shape: [rows, ...shape], bytes }] as const;
        })
      : undefined;
  Atomics.store(words, STATE, IDLE);
  return feeds;
}
