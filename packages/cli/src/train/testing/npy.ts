/** A float32 array in NumPy's format. */
export function npy(shape: readonly number[], numbers: ArrayLike<number>): Buffer {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  const elements = Buffer.from(Float32Array.from(numbers).buffer);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\0', 'latin1'),
    length,
    Buffer.from(text),
    elements,
  ]);
}
