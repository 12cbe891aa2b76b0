/** Whether a message can be decoded on the event loop without holding up others. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { MAX_RANK } from '../tensors/tensor-bytes.ts';

/** Most fields, string elements and bytes (other than raw contents) that are decoded on the event loop. */
export const QUICK_FIELDS = 8192;
const QUICK_STRINGS = 16_384;
const QUICK_BYTES = 1 << 18;
/** Bools that take as long to check as one string takes to create. */
const BOOLS_PER_STRING = 64;
/** Datatypes as bytes of the wire. */
const STRINGS = Buffer.from('BYTES');
const BOOLS = Buffer.from('BOOL');

/**
 * Whether decoding takes only a few milliseconds: few fields, short texts, and few values that are
 * decoded one by one. Raw contents are views, whatever their size.
 */
export function isQuickToRead(message: Uint8Array): boolean {
  let fields = 0;
  let slowBytes = 0;
  let strings = 0;
  const walk = (bytes: Uint8Array, read: (field: number, content: Uint8Array) => void): void => {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      // Groups nest: skipping one is a loop of its own.
      if (++fields > QUICK_FIELDS || wireType === WireType.StartGroup) throw new RangeError('slow');
      if (wireType === WireType.LengthDelimited) read(field, reader.bytes());
      else if (wireType === WireType.Varint) reader.uint64();
      else reader.skip(wireType);
    }
  };
  const walkInput = (input: Uint8Array): void => {
    let elements = Infinity;
    let datatype: Uint8Array | undefined;
    walk(input, (field, content) => {
      slowBytes += content.length;
      if (field === 2) datatype = content;
      if (field === 3) elements = packedProduct(content);
    });
    if (datatype === undefined) return;
    if (STRINGS.equals(datatype)) strings += elements;
    else if (BOOLS.equals(datatype)) strings += elements / BOOLS_PER_STRING;
  };
  try {
    walk(message, (field, content) => {
      if (field === 5) walkInput(content);
      else if (field !== 7) slowBytes += content.length;
    });
  } catch {
    return false;
  }
  // Strings are split into elements, and bools are checked, even if they are raw.
  return slowBytes <= QUICK_BYTES && strings <= QUICK_STRINGS;
}

/** The product of a packed shape; infinite if no model has such a shape. */
function packedProduct(shape: Uint8Array): number {
  const reader = new BinaryReader(shape);
  let product = 1;
  for (let sizes = 0; reader.pos < reader.len; sizes++) {
    if (sizes === MAX_RANK) return Infinity;
    product *= Number(reader.int64());
  }
  return product >= 0 ? product : Infinity;
}
