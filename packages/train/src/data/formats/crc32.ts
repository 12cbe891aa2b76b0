/** CRC-32 as ZIP uses it (ISO 3309), over bytes in any pieces: the sum of those before goes into the next call. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

const POLYNOMIAL = 0xedb88320;
/** The sum of each byte alone. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
  return sum;
});

/** For pages, which have none of their own. */
export function crc32ByTable(bytes: Uint8Array, before = 0): number {
  let sum = ~before;
  for (const byte of bytes) sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 0xff]!;
  return ~sum >>> 0;
}

export const crc32: Crc32 =
  globalThis.process?.getBuiltinModule?.('node:zlib').crc32 ?? crc32ByTable;
