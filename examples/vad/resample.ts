/**
 * Changes the sample rate by a windowed sinc: the signal is low-passed below half of the lower rate
 * and evaluated where the new samples fall. The window is Kaiser's, whose one parameter trades the
 * width of the transition for the depth of the stop band.
 *
 * Rates are ratios of small numbers (48000 → 16000 is 3 → 1, 44100 → 16000 is 441 → 160), so the
 * filter is computed once for each of the few positions between two samples (a polyphase filter).
 */

/** Zero crossings of the sinc on each side. */
const CROSSINGS = 32;
/** Kaiser's β: about 80 dB of attenuation. */
const BETA = 7.86;
/** Pass band as a share of half of the lower rate; what is above falls off before it could alias. */
const PASS = 0.945;

/**
 * @param from samples per second of the input.
 * @param to samples per second wanted.
 * @returns ⌈length × to / from⌉ samples; the input itself when the rates are equal.
 */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return samples;
  const divisor = gcd(from, to);
  const [step, phases] = [from / divisor, to / divisor];
  const cutoff = Math.min(1, to / from) * PASS;
  const reach = Math.ceil(CROSSINGS / cutoff);
  const filters: (Float64Array | undefined)[] = [];
  const out = new Float32Array(Math.ceil((samples.length * to) / from));
  for (let index = 0; index < out.length; index++) {
    const position = index * step;
    const phase = position % phases;
    const filter = (filters[phase] ??= filterFor(phase / phases, cutoff, reach));
    const first = (position - phase) / phases - reach + 1;
    let sum = 0;
    const begin = Math.max(0, -first);
    const end = Math.min(filter.length, samples.length - first);
    for (let tap = begin; tap < end; tap++) sum += filter[tap]! * samples[first + tap]!;
    out[index] = sum;
  }
  return out;
}

/** Weights of the `2 × reach` samples around a point that lies `fraction` after one of them. */
function filterFor(fraction: number, cutoff: number, reach: number): Float64Array {
  const filter = new Float64Array(2 * reach);
  let total = 0;
  for (let tap = 0; tap < filter.length; tap++) {
    const x = tap - reach + 1 - fraction;
    const weight = sinc(cutoff * x) * kaiser(x / reach);
    filter[tap] = weight;
    total += weight;
  }
  // Exactly unit gain for a constant, in every phase.
  for (let tap = 0; tap < filter.length; tap++) filter[tap] = filter[tap]! / total;
  return filter;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param x −1…1 over the window. */
function kaiser(x: number): number {
  return Math.abs(x) > 1 ? 0 : besselI0(BETA * Math.sqrt(1 - x * x)) / besselI0(BETA);
}

/** Modified Bessel function of order zero, by its power series. */
function besselI0(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
