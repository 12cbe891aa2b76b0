/**
 * The site's own model in its memory: the model after the last round that it was trained in, and the global models that
 * later rounds are trained from, until their turn comes.
 *
 * A round has one of `SLOTS` places, so that each is written once and the space is bounded. A site whose own training is
 * so slow that a place is taken again leaves that round out.
 */
import type { SiteMemory } from '../memory/site-memory.ts';

/** A vector of float32, [parameters], of a round. */
export interface RoundVector {
  readonly round: number;
  readonly vector: Float32Array;
}

/** Rounds that may wait. */
export const SLOTS = 16;
/** Round, f64, little-endian. */
const HEAD = 8;

export interface KeptRounds {
  own(): Promise<RoundVector | undefined>;
  keepOwn(own: RoundVector): Promise<void>;
  /** Rounds that wait to be trained after one, ascending. */
  waiting(after: number): Promise<number[]>;
  /** The global model that a round is trained from; undefined: its place was taken. */
  globalOf(round: number): Promise<Float32Array | undefined>;
  keepGlobal(global: RoundVector): Promise<void>;
  erase(): Promise<void>;
}

export function keptRounds(
  memory: Pick<SiteMemory, 'carriedOf' | 'carry'>,
  run: string,
): KeptRounds {
  const own = `${run} personal`;
  const slots = Array.from({ length: SLOTS }, (_, slot) => `${own} ${slot}`);
  const slotOf = (round: number): string => slots[round % SLOTS]!;
  const read = async (key: string): Promise<RoundVector | undefined> => {
    const bytes = await memory.carriedOf(key);
    return bytes === undefined ? undefined : decoded(bytes);
  };
  return {
    own: () => read(own),
    keepOwn: (kept) => memory.carry(own, encoded(kept)),
    async waiting(after) {
      const kept: number[] = [];
      for (const slot of slots) {
        const bytes = await memory.carriedOf(slot);
        if (bytes !== undefined) kept.push(roundOf(bytes));
      }
      return kept.filter((round) => round > after).toSorted((a, b) => a - b);
    },
    async globalOf(round) {
      const kept = await read(slotOf(round));
      return kept?.round === round ? kept.vector : undefined;
    },
    keepGlobal: (global) => memory.carry(slotOf(global.round), encoded(global)),
    async erase() {
      for (const key of [own, ...slots]) await memory.carry(key, undefined);
    },
  };
}

function encoded({ round, vector }: RoundVector): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD + vector.byteLength);
  new DataView(bytes.buffer).setFloat64(0, round, true);
  bytes.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), HEAD);
  return bytes;
}

const roundOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);

const decoded = (bytes: Uint8Array): RoundVector => ({
  round: roundOf(bytes),
  vector: new Float32Array(bytes.slice(HEAD).buffer),
});
