/** The three kinds of protobuf field that an inference request needs (protobuf.dev, "Encoding"). */

export function stringField(field: number, text: string): Uint8Array {
  return text === '' ? new Uint8Array(0) : bytesField(field, Buffer.from(text));
}

export function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.byteLength), bytes]);
}

/** A packed `repeated int64` of values that are not negative. */
export function int64ListField(field: number, values: readonly number[]): Uint8Array {
  if (values.length === 0) return new Uint8Array(0);
  return bytesField(field, Buffer.concat(values.map(varint)));
}

function varint(value: number): Uint8Array {
  const bytes = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
