/** State of a site's training between rounds, as bytes that outlive its process. */
import type { Task } from '../answers.ts';
import { protocolError } from '../../transport/messages.ts';

export interface Carried {
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * State of SCAFFOLD: the estimate of the site's own gradient, before and after its last round. A round that is
 * tried again, or asked for after a restart, begins as it did the first time. So does the next round where the
 * update of this site was not in the sum, so that the mean of all sites equals the coordinator's estimate.
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

/**
 * The estimate with which a round begins.
 * @param summed the last round before it whose sum holds an update of this site, from the coordinator; −1: none;
 *   undefined: not given. A lie makes the model worse, and reveals nothing more: both estimates are the site's own.
 */
export function estimateFor(
  { round, before, after }: LastRound,
  next: number,
  summed: number | undefined,
): Float32Array | undefined {
  const isAgain = round === next;
  return isAgain || (summed !== undefined && summed < round) ? before : after;
}

/** @throws SkeinError FEDERATION_PROTOCOL for a value that is not a round before the task's. */
export function summedOf({ place, fields }: Pick<Task, 'place' | 'fields'>): number | undefined {
  const summed = fields['summed'];
  if (summed === undefined) return undefined;
  const isEarlier =
    typeof summed === 'number' && Number.isInteger(summed) && summed >= -1 && summed < place.round;
  if (isEarlier) return summed;
  throw protocolError(
    `The task of round ${place.round} does not name an earlier one as the last whose sum holds an update of this site.`,
  );
}
