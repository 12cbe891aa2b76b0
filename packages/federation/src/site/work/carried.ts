/** What a site keeps of its training between rounds, as bytes that outlive its process. */

export interface Carried {
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Of SCAFFOLD: the estimate of the site's own gradient, before and after its last round. A round that is
 * tried again, or asked for after a restart, begins as it did the first time.
 */
export interface LastRound {
  readonly round: number;
  /** undefined: it was the first. */
  readonly before: Float32Array | undefined;
  readonly after: Float32Array;
}

/** Round, f64, little-endian │ whether there is one before, u8, and 7 bytes │ before, float32 │ after, float32. */
const HEAD = 16;

export function writeLast({ round, before, after }: LastRound): Uint8Array<ArrayBuffer> {
  const numbers = before === undefined ? [after] : [before, after];
  const bytes = new Uint8Array(HEAD + numbers.length * after.byteLength);
  new DataView(bytes.buffer).setFloat64(0, round, true);
  bytes[8] = numbers.length - 1;
  for (const [i, each] of numbers.entries()) {
    const content = new Uint8Array(each.buffer, each.byteOffset, each.byteLength);
    bytes.set(content, HEAD + i * after.byteLength);
  }
  return bytes;
}

export function readLast(bytes: Uint8Array): LastRound {
  const numbers = new Float32Array(bytes.slice(HEAD).buffer);
  const half = bytes[8] === 1 ? numbers.length / 2 : 0;
  return {
    round: new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true),
    before: half === 0 ? undefined : numbers.slice(0, half),
    after: numbers.slice(half),
  };
}
