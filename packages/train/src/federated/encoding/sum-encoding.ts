/**
 * How an update of floating-point numbers becomes residues whose sum can be masked, and how the sum
 * becomes numbers again.
 *
 * Every number is clipped to the public range [−R, R], moved to [0, 2R] and rounded at random, so
 * that the mean of the rounding is the number itself, to one of 2^q levels. Levels of n sites add up
 * to at most n · (2^q − 1); with the tail of the noise, b = ⌈log₂(…)⌉ bits hold the sum, and
 * residues of 2^b wrap around without harm. Nothing in an encoding depends on data.
 *
 * Konečný et al. 2016 (stochastic quantisation, random masks from a seed); Bonawitz et al. 2019,
 * "Federated Learning with Autotuned Communication-Efficient Secure Aggregation" (moduli).
 */
import { secureRandom, type SecureRandom } from '../../privacy/secure-random.ts';
import { discreteGaussian, MOST_VARIANCE } from '../../privacy/discrete-gaussian.ts';
import { dataError } from '../../train-error.ts';
import { chosenEntries } from './chosen-entries.ts';

/** Part of a federation's plan: public, the same for every site, plain JSON. */
export interface SumEncoding {
  /** Numbers of an update. */
  readonly length: number;
  /** Most updates in one sum, n. */
  readonly sites: number;
  /** Bits of a level, q. */
  readonly bits: 8 | 16;
  /** Numbers are clipped to [−range, range], R. */
  readonly range: number;
  /**
   * Sends the site's weight with the update, inside the sum: one more residue. Updates are then
   * scaled by weight ÷ `most`, and no site may weigh more.
   */
  readonly weight?: { readonly most: number };
  /** Noise of the sum in levels: shares of this variance each, and at most so many of them in a sum. */
  readonly noise?: { readonly variance: number; readonly shares: number };
  /** Sends only a random part of the numbers, chosen by a public seed (rand-k); `share` in (0, 1]. */
  readonly sample?: { readonly share: number };
  /** Leaves half of all residues above every sum, so that each number of a garbled sum shows with probability ½. */
  readonly isChecked?: boolean;
}

export interface EncodeOptions {
  /** Number of the round; with the run's seed it chooses the numbers of rand-k. */
  readonly round?: number;
  /** Public seed of the run, at least 16 bytes; for rand-k. */
  readonly seed?: Uint8Array;
  /** Whether this site adds a share of the noise; helpers add it otherwise. Default true. */
  readonly noise?: boolean;
  /** Default: the platform's cryptographic generator. */
  readonly random?: SecureRandom;
}

/** Standard deviations of the noise that fit into a sum; more have a probability of 2⁻¹⁰⁰. */
const TAIL = 12;

/** @throws TrainError `data`, naming the value. */
export function assertEncoding(encoding: SumEncoding): void {
  const { length, sites, bits, range, weight, noise, sample } = encoding;
  const whole = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  if (!whole(length)) invalid(`${length} is not a number of numbers`);
  if (!whole(sites)) invalid(`${sites} is not a number of sites`);
  if (bits !== 8 && bits !== 16) invalid(`${String(bits)} bits are neither 8 nor 16`);
  if (!(range > 0 && range < Infinity)) invalid(`the range ${range} is not above 0`);
  if (weight !== undefined && !whole(weight.most))
    invalid(`the weight ${weight.most} is not whole`);
  if (weight !== undefined && noise !== undefined) {
    invalid('a private sum is divided by a public number; leave the weights out of it');
  }
  if (noise !== undefined && noise.variance > MOST_VARIANCE) {
    invalid(
      `noise of a deviation of ${Math.round(Math.sqrt(noise.variance))} levels is above 2^24`,
    );
  }
  if (noise !== undefined && !(whole(noise.variance) && whole(noise.shares))) {
    invalid(`noise of variance ${noise.variance} in ${noise.shares} shares is not whole`);
  }
  if (sample !== undefined && !(sample.share > 0 && sample.share <= 1)) {
    invalid(`the share ${sample.share} is not above 0 and at most 1`);
  }
  if (residueBits(encoding) > 32) {
    invalid(`${sites} sites with ${bits} bits and this noise take more than 32 bits`);
  }
}

/** Bits of a residue, b: the levels of all sites and the tails of the noise fit, with a spare bit if they are checked. */
export function residueBits(encoding: SumEncoding): number {
  const { sites, bits, isChecked = false } = encoding;
  const values = sites * (2 ** bits - 1) + 2 * tailOf(encoding) + 1;
  return Math.ceil(Math.log2(values * (isChecked ? 2 : 1)));
}

export function residueCount(encoding: SumEncoding): number {
  return keptCount(encoding) + (encoding.weight === undefined ? 0 : 1);
}

/** The smallest range, at least as large as given, in which a level is 1, ½, ¼, … of a count. */
export function rangeOfCounts(least: number, bits: SumEncoding['bits']): number {
  const whole = (2 ** bits - 1) / 2;
  return whole * 2 ** Math.ceil(Math.log2(least / whole));
}

/** The width of a level in the units of the update. */
export function levelWidth({ range, bits }: Pick<SumEncoding, 'range' | 'bits'>): number {
  return (2 * range) / (2 ** bits - 1);
}

/**
 * @param update numbers [length], and the site's weight where the encoding sends one.
 * @returns residues below 2^b, with this site's share of the noise.
 * @throws TrainError `data` for another length, numbers that are not finite, or a weight out of range.
 */
export function encodeUpdate(
  update: { readonly numbers: ArrayLike<number>; readonly weight?: number },
  encoding: SumEncoding,
  options: EncodeOptions = {},
): Uint32Array {
  assertEncoding(encoding);
  const { numbers, weight = 1 } = update;
  const { random = secureRandom() } = options;
  if (numbers.length !== encoding.length) {
    throw dataError(
      `The update has ${numbers.length} numbers, but the plan has ${encoding.length}.`,
    );
  }
  const { most } = encoding.weight ?? { most: 1 };
  if (!(weight > 0 && weight <= most)) {
    throw dataError(`The weight ${weight} is not above 0 and at most ${most}.`);
  }
  const levels = levelsOf(encoding);
  const factor = weight / most;
  const entries = entriesOf(encoding, options);
  const count = keptCount(encoding);
  const residues = new Uint32Array(residueCount(encoding));
  for (let i = 0; i < count; i++) {
    const entry = entries?.[i] ?? i;
    residues[i] = levelOf(numbers[entry]! * factor, entry, levels, random);
  }
  if (encoding.weight !== undefined) residues[count] = Math.round(weight / unitOfWeight(encoding));
  if (encoding.noise !== undefined && options.noise !== false) {
    addResidues(residues, noiseShare(encoding, random), encoding);
  }
  return residues;
}

/**
 * The update as a sum will have it: within the range, and rounded to levels. Encoding it changes nothing more, so that a
 * site can compute its part of the sum.
 * @throws TrainError `data` for numbers that are not finite.
 */
export function roundedUpdate(
  { numbers, weight = 1 }: { readonly numbers: ArrayLike<number>; readonly weight?: number },
  encoding: SumEncoding,
  random: SecureRandom = secureRandom(),
): Float64Array {
  const levels = levelsOf(encoding);
  const factor = weight / (encoding.weight?.most ?? 1);
  const width = levelWidth(encoding);
  return Float64Array.from(
    numbers,
    (each, i) => (levelOf(each * factor, i, levels, random) * width - encoding.range) / factor,
  );
}

interface Levels {
  readonly range: number;
  readonly perUnit: number;
  readonly top: number;
}

function levelsOf(encoding: SumEncoding): Levels {
  const { range, bits } = encoding;
  return { range, perUnit: 1 / levelWidth(encoding), top: 2 ** bits - 1 };
}

/** The number within the range, rounded to a level at random, so that the mean of the rounding is the number itself. */
function levelOf(
  number: number,
  entry: number,
  { range, perUnit, top }: Levels,
  random: SecureRandom,
): number {
  if (!Number.isFinite(number)) {
    throw dataError(`Number ${entry} of the update is ${number}.`);
  }
  const level = (Math.min(Math.max(number, -range), range) + range) * perUnit;
  return Math.min(Math.floor(level + random.unit()), top);
}

/** One share of the noise as residues, which a site adds to its update and a helper to its sum. */
export function noiseShare(
  encoding: SumEncoding,
  random: SecureRandom = secureRandom(),
): Uint32Array {
  const { noise } = encoding;
  const residues = new Uint32Array(residueCount(encoding));
  if (noise === undefined) return residues;
  const gaussian = discreteGaussian(noise.variance, random);
  const modulus = 2 ** residueBits(encoding);
  for (let i = 0; i < residues.length; i++) {
    const sample = gaussian.sample() % modulus;
    residues[i] = sample < 0 ? sample + modulus : sample;
  }
  return residues;
}

/** Adds residues to a sum in place, modulo 2^b. */
export function addResidues(sum: Uint32Array, more: Uint32Array, encoding: SumEncoding): void {
  const mask = 2 ** residueBits(encoding) - 1;
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! + more[i]!) & mask;
}

export interface DecodedSum {
  /** Σ weight · update, or Σ update without weights, [length]. Zero where rand-k sent nothing. */
  readonly sum: Float64Array;
  /** Σ weight, or the number of sites. */
  readonly weight: number;
}

/** Residues of a sum that is not in memory as a whole. */
export interface Residues {
  readonly length: number;
  /** Residues `from` to `to`. */
  read(from: number, to: number): Promise<Uint32Array>;
}

/** A sum that is decoded part by part. */
export interface SumReader {
  readonly weight: number;
  /** Numbers `from` to `to` of the sum, until the next call. */
  read(from: number, to: number): Promise<Float64Array>;
}

type DrawOptions = Pick<EncodeOptions, 'round' | 'seed'>;

/**
 * @param residues the sum of the encoded updates of `sites` sites modulo 2^b.
 * @throws TrainError `data` for another length or number of sites.
 */
export function decodeSum(
  residues: Uint32Array,
  encoding: SumEncoding,
  sites: number,
  options: DrawOptions = {},
): DecodedSum {
  const { count, numberOf, weightOf } = decoderOf(residues.length, encoding, sites);
  const entries = entriesOf(encoding, options);
  const sum = new Float64Array(encoding.length);
  for (let i = 0; i < count; i++) sum[entries?.[i] ?? i] = numberOf(residues[i]!);
  return { sum, weight: weightOf(residues[count]) };
}

/** Does `decodeSum` in parts. The numbers of rand-k, which are few, are decoded at once: they are in random order. */
export async function sumReader(
  residues: Residues,
  encoding: SumEncoding,
  sites: number,
  options: DrawOptions = {},
): Promise<SumReader> {
  if (encoding.sample !== undefined) {
    const all = await residues.read(0, residues.length);
    const { sum, weight } = decodeSum(all, encoding, sites, options);
    return { weight, read: async (from, to) => sum.subarray(from, to) };
  }
  const { count, numberOf, weightOf } = decoderOf(residues.length, encoding, sites);
  const after = residues.length > count ? await residues.read(count, residues.length) : [];
  let memory = new Float64Array(0);
  return {
    weight: weightOf(after[0]),
    async read(from, to) {
      if (memory.length < to - from) memory = new Float64Array(to - from);
      const sum = memory.subarray(0, to - from);
      const part = await residues.read(from, to);
      for (let i = 0; i < sum.length; i++) sum[i] = numberOf(part[i]!);
      return sum;
    },
  };
}

function decoderOf(given: number, encoding: SumEncoding, sites: number) {
  assertEncoding(encoding);
  if (given !== residueCount(encoding)) {
    throw dataError(`The sum has ${given} residues, but the plan has ${residueCount(encoding)}.`);
  }
  if (!(Number.isSafeInteger(sites) && sites > 0 && sites <= encoding.sites)) {
    throw dataError(`${sites} sites are not from 1 to ${encoding.sites}.`);
  }
  const { length, range, bits, weight } = encoding;
  const modulus = 2 ** residueBits(encoding);
  // Residues above all levels and the upper tail are the lower tail, wrapped around.
  const most = sites * (2 ** bits - 1) + tailOf(encoding);
  const width = levelWidth(encoding);
  const count = keptCount(encoding);
  // Rand-k stands for what it left out, so that its mean is the whole sum.
  const scale = ((weight?.most ?? 1) * length) / count;
  return {
    count,
    numberOf: (residue: number): number =>
      ((residue > most ? residue - modulus : residue) * width - sites * range) * scale,
    /** @param residue after the numbers, where the encoding has one. */
    weightOf: (residue: number | undefined): number =>
      weight === undefined ? sites : residue! * unitOfWeight(encoding),
  };
}

/**
 * Whether the residues can be a sum of this many encoded updates. Bits are whole, so some residues are above
 * every sum and below every negative tail of the noise; most sums with a wrong mask have some of these.
 *
 * @param residues the sum modulo 2^b.
 */
export function canBeSum(residues: Uint32Array, encoding: SumEncoding, sites: number): boolean {
  const most = sites * (2 ** encoding.bits - 1) + tailOf(encoding);
  const least = 2 ** residueBits(encoding) - tailOf(encoding);
  return residues.every((residue) => residue <= most || residue >= least);
}

/** Weight of one step: 1, or more where the weights need more than 2^q − 1 steps. */
function unitOfWeight({ bits, weight }: SumEncoding): number {
  return Math.max(1, weight!.most / (2 ** bits - 1));
}

function tailOf({ noise }: SumEncoding): number {
  if (noise === undefined) return 0;
  return Math.ceil(TAIL * Math.sqrt(noise.variance * noise.shares));
}

/** Numbers that are sent. */
function keptCount({ length, sample }: SumEncoding): number {
  return sample === undefined ? length : Math.max(1, Math.round(length * sample.share));
}

/** Positions of the numbers that are sent, or undefined for all. */
function entriesOf(
  encoding: SumEncoding,
  { seed, round = 0 }: Pick<EncodeOptions, 'round' | 'seed'>,
): Uint32Array | undefined {
  if (encoding.sample === undefined) return undefined;
  return chosenEntries(encoding.length, keptCount(encoding), { seed, round });
}

function invalid(message: string): never {
  throw dataError(`Encoding of updates: ${message}.`);
}
