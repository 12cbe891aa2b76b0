/** NumPy's files, written byte by byte. */
import { crc32 } from 'node:zlib';

/** An array in NumPy's format: int64 of whole numbers without bound, else float32. */
export function npy(
  shape: readonly number[],
  numbers: ArrayLike<number> | BigInt64Array<ArrayBuffer>,
): Buffer {
  const whole = numbers instanceof BigInt64Array;
  const text = `{'descr': '${whole ? '<i8' : '<f4'}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  const elements = Buffer.from((whole ? numbers : Float32Array.from(numbers)).buffer);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\0', 'latin1'),
    length,
    Buffer.from(text),
    elements,
  ]);
}

/** A ZIP archive of stored entries. */
export function npz(arrays: Readonly<Record<string, Buffer>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [array, content] of Object.entries(arrays)) {
    const name = Buffer.from(`${array}.npy`);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt32LE(crc32(content), 16);
    entry.writeUInt32LE(content.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    parts.push(local, name, content);
    directory.push(entry, name);
    at += local.length + name.length + content.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(Object.keys(arrays).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}
