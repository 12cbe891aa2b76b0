/**
 * NumPy's `.npz`: a ZIP archive of `.npy` files, stored or deflated.
 *
 * Reads the archive through its central directory, with the ZIP64 fields: PKWARE, "APPNOTE.TXT" 6.3.
 */
import type { NumericTensor } from '@skein/onnx';
import { TrainError } from '../train-error.ts';
import { unpacked } from './bytes.ts';
import { parseNpy } from './npy.ts';

const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const ENTRY = 0x02014b50;
const FULL = 0xffffffff;

/** The arrays by name. @throws TrainError `data` when the archive or an array in it is damaged. */
export async function parseNpz(bytes: Uint8Array): Promise<ReadonlyMap<string, NumericTensor>> {
  const arrays = new Map<string, NumericTensor>();
  let entries: readonly Entry[];
  try {
    entries = directory(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TrainError('data', 'The ZIP archive is damaged.', { cause: error });
  }
  for (const { name, method, packed } of entries) {
    if (!name.endsWith('.npy')) continue;
    const array = name.slice(0, -4);
    if (method !== 0 && method !== 8) {
      throw new TrainError(
        'data',
        `Array '${array}' is packed with method ${method}, not deflate.`,
      );
    }
    const whole = method === 0 ? packed : await inflated(packed);
    arrays.set(array, parseNpy(whole, `Array '${array}'`));
  }
  if (arrays.size === 0) throw new TrainError('data', 'The archive holds no arrays.');
  return arrays;
}

async function inflated(packed: Uint8Array): Promise<Uint8Array> {
  const one = (async function* () {
    yield packed;
  })();
  const chunks: Uint8Array[] = [];
  for await (const chunk of unpacked(one, 'deflate-raw')) chunks.push(chunk);
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

interface Entry {
  readonly name: string;
  /** 0: stored, 8: deflate. */
  readonly method: number;
  readonly packed: Uint8Array;
}

function directory(bytes: Uint8Array): readonly Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.byteLength - 22;
  // A comment of up to 64 KiB may follow the record.
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new TrainError('data', 'The file is not a ZIP archive, or is cut off.');
  let count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (end >= 20 && view.getUint32(end - 20, true) === END_64_LOCATOR) {
    const record = number64(view, end - 20 + 8);
    count = number64(view, record + 32);
    at = number64(view, record + 48);
  }
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== ENTRY) throw new RangeError('no entry here');
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const commentLength = view.getUint16(at + 32, true);
    const [size, offset] = extent(view, at, at + 46 + nameLength, extraLength);
    const from =
      offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
    if (from + size > bytes.byteLength) throw new RangeError('cut off');
    entries.push({
      name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength)),
      method: view.getUint16(at + 10, true),
      packed: bytes.subarray(from, from + size),
    });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** Packed size and place of an entry; what does not fit 32 bits stands in the ZIP64 field, in this order. */
function extent(view: DataView, at: number, extra: number, length: number): [number, number] {
  let size = view.getUint32(at + 20, true);
  let offset = view.getUint32(at + 42, true);
  const wide = view.getUint32(at + 24, true) === FULL;
  for (let field = extra; field + 4 <= extra + length;) {
    const fieldLength = view.getUint16(field + 2, true);
    if (view.getUint16(field, true) === 1) {
      let next = field + 4 + (wide ? 8 : 0);
      if (size === FULL) {
        size = number64(view, next);
        next += 8;
      }
      if (offset === FULL) offset = number64(view, next);
    }
    field += 4 + fieldLength;
  }
  return [size, offset];
}

function number64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
