/**
 * MinHash of texts: buckets that similar texts are likely to share, and the exact similarity of two texts.
 *
 * Similarity is Jaccard's: the shingles that two texts share, as a part of all that either has. A text has one hash
 * for each shingle, and of each of BINS ranges of hashes the least one: one-permutation hashing. An empty bin takes the
 * value of another one, by a fixed series (Shrivastava 2017, "Optimal densification"). Bins in a row are a band, and
 * texts with an equal band share a bucket (Leskovec et al., "Mining of massive datasets", §3.4).
 */

export type Shingles = 'characters' | 'words';

/** Consecutive characters, or words, of a shingle. */
const LENGTHS: Readonly<Record<Shingles, number>> = { characters: 5, words: 3 };

/** Least hashes of a text: more find more pairs, and each text takes longer. */
const BIN_BITS = 7;
const BINS = 2 ** BIN_BITS;
/** Bins that each shingle may fall into: a text with few shingles then has fewer empty ones. */
const FALLS = 2;
/** The share of pairs with exactly the wanted similarity that a bucket should bring together. */
const WANTED_RECALL = 0.995;

interface Bands {
  readonly count: number;
  /** Bins of each band. */
  readonly rows: number;
}

const known = new Map<number, Bands>();

/** The longest bands, which bring together the fewest others, that find the wanted share of pairs. */
function bandsFor(threshold: number): Bands {
  let bands = known.get(threshold);
  if (bands === undefined) known.set(threshold, (bands = longestBands(threshold)));
  return bands;
}

function longestBands(threshold: number): Bands {
  for (let rows = BINS; rows > 1; rows--) {
    const count = Math.floor(BINS / rows);
    const found = 1 - (1 - threshold ** rows) ** count;
    if (found >= WANTED_RECALL) return { count, rows };
  }
  return { count: BINS, rows: 1 };
}

/** Shingles are parts of this text: small letters with single spaces, or words alone. */
function plain(text: string, kind: Shingles): string {
  const small = text.toLowerCase();
  if (kind === 'words') {
    const words = small.replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, ' ').trim();
    if (words !== '') return words;
  }
  return small.replaceAll(/\s+/g, ' ').trim();
}

/** A text shorter than a shingle is one. */
function eachShingle(text: string, kind: Shingles, use: (from: number, to: number) => void): void {
  const length = LENGTHS[kind];
  if (kind === 'characters') {
    const last = Math.max(0, text.length - length);
    for (let from = 0; from <= last; from++) use(from, Math.min(text.length, from + length));
    return;
  }
  const starts: number[] = [0];
  for (let at = text.indexOf(' '); at >= 0; at = text.indexOf(' ', at + 1)) starts.push(at + 1);
  const last = Math.max(0, starts.length - length);
  for (let word = 0; word <= last; word++) {
    const next = starts[word + length];
    use(starts[word]!, next === undefined ? text.length : next - 1);
  }
}

/** The finaliser of MurmurHash3: every bit depends on every other one. */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** FNV-1a, and mixed. */
function hashOf(text: string, from: number, to: number): number {
  let hash = 0x811c_9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return mixed(hash);
}

const GOLDEN = 0x9e37_79b1;
/** Stands for an empty bin: a hash that is as large is left out. */
const EMPTY = 0xffff_ffff;

/** For each bin all bins in an order of its own, with itself first. */
const SERIES = Uint8Array.from(
  Array.from({ length: BINS }, (_, bin) => {
    const placeOf = (other: number): number => mixed(Math.imul(bin * BINS + other + 1, GOLDEN));
    const others = Array.from({ length: BINS }, (__, other) => other).filter(
      (each) => each !== bin,
    );
    return [bin, ...others.sort((a, b) => placeOf(a) - placeOf(b))];
  }).flat(),
);

const bins = new Uint32Array(BINS);
const filled = new Uint32Array(BINS);

/** @returns one array for all texts. */
function leastHashes(text: string, kind: Shingles): Uint32Array {
  bins.fill(EMPTY);
  eachShingle(text, kind, (from, to) => {
    let hash = hashOf(text, from, to);
    for (let fall = 0; fall < FALLS; fall++) {
      const bin = hash >>> (32 - BIN_BITS);
      if (hash < bins[bin]!) bins[bin] = hash;
      hash = mixed(hash + GOLDEN);
    }
  });
  for (let bin = 0; bin < BINS; bin++) {
    let step = bin * BINS;
    const end = step + BINS - 1;
    while (bins[SERIES[step]!] === EMPTY && step < end) step++;
    filled[bin] = bins[SERIES[step]!]!;
  }
  return filled;
}

/** Numbers of buckets, one for each band, all below 2^40: texts are compared where they share one. */
export function bucketsOf(text: string, kind: Shingles, threshold: number): number[] {
  const { count, rows } = bandsFor(threshold);
  const values = leastHashes(plain(text, kind), kind);
  return Array.from({ length: count }, (_, band) => {
    let hash = 0;
    for (let row = 0; row < rows; row++) hash = mixed(hash ^ values[band * rows + row]!);
    return band * 2 ** 32 + hash;
  });
}

/** The shingles that both texts have, as a part of all that one of them has. */
export function similarityOf(one: string, other: string, kind: Shingles): number {
  const [few, many] = [shingleSet(one, kind), shingleSet(other, kind)].sort(
    (a, b) => a.size - b.size,
  ) as [Set<string>, Set<string>];
  let shared = 0;
  for (const shingle of few) if (many.has(shingle)) shared++;
  return shared / (few.size + many.size - shared);
}

function shingleSet(text: string, kind: Shingles): Set<string> {
  const found = new Set<string>();
  const part = plain(text, kind);
  eachShingle(part, kind, (from, to) => found.add(part.slice(from, to)));
  return found;
}
