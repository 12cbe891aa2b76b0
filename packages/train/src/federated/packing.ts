/** Residues of b bits each as bytes without gaps: little-endian, the first residue in the lowest bits. */
import { TrainError } from '../train-error.ts';

/** Bytes of `count` residues. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** @param residues each below 2^bits; `bits` from 1 to 32. */
export function packResidues(residues: Uint32Array, bits: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(packedBytes(residues.length, bits));
  if (bits % 8 === 0) return packedWhole(residues, bytes, bits / 8);
  // Bits that wait for a full byte: fewer than 8 of them, so 39 bits and a residue fit in a double.
  let [waiting, count, at] = [0, 0, 0];
  for (let i = 0; i < residues.length; i++) {
    waiting += residues[i]! * 2 ** count;
    count += bits;
    while (count >= 8) {
      bytes[at++] = waiting;
      waiting = Math.floor(waiting / 256);
      count -= 8;
    }
  }
  if (count > 0) bytes[at] = waiting;
  return bytes;
}

function packedWhole(
  residues: Uint32Array,
  bytes: Uint8Array<ArrayBuffer>,
  width: number,
): Uint8Array<ArrayBuffer> {
  for (let i = 0, at = 0; i < residues.length; i++) {
    let residue = residues[i]!;
    for (let byte = 0; byte < width; byte++, residue >>>= 8) bytes[at++] = residue;
  }
  return bytes;
}

/** @throws TrainError `data` when the bytes are not those of so many residues. */
export function unpackResidues(bytes: Uint8Array, bits: number, count: number): Uint32Array {
  if (bytes.length !== packedBytes(count, bits)) {
    throw new TrainError(
      'data',
      `${bytes.length} bytes are not ${count} residues of ${bits} bits, which take ${packedBytes(count, bits)}.`,
    );
  }
  const residues = new Uint32Array(count);
  const modulus = 2 ** bits;
  let [waiting, held, at] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    while (held < bits) {
      waiting += bytes[at++]! * 2 ** held;
      held += 8;
    }
    const rest = Math.floor(waiting / modulus);
    residues[i] = waiting - rest * modulus;
    waiting = rest;
    held -= bits;
  }
  return residues;
}
