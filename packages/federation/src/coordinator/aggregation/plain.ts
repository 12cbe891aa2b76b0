/**
 * The sum of updates that the coordinator sees: phase `train`. The answer is the update as float32,
 * and the site's weight. The updates stay on the disk, and are added block by block when all are there, in the
 * order of the roster, so that the sum is the same after a restart. Where a robust aggregate compares them, all
 * are in memory at once.
 */
import { robustUpdate } from '@skein/train/federated';
import { answerInvalid, type Payload } from '../../transport/chunks.ts';
import { blocksOf, rangeOf } from '../storage/content.ts';
import type { Aggregator, AttemptContext, RoundSum } from './aggregator.ts';
import { aggregationIn } from '../../plan/kinds/choices.ts';
import { strategyOfPlan } from '../../plan/strategy.ts';
import { requireAnswers } from './threshold.ts';

/** A weight is a number of rows. */
const MOST_WEIGHT = 1e12;

export async function openPlain(context: AttemptContext): Promise<Aggregator> {
  const { plan, roster, broadcast, payloadOf } = context;
  /** By site; where the update is stored. */
  const updates = new Map<string, { readonly weight: number; readonly digest: string }>();
  const length = plan.model.parameters;
  const { robust } = aggregationIn(plan);
  const needed = plan.sites.threshold;
  const strategy = strategyOfPlan(plan);

  /** Whether a step from here with this update alone stays within float32: the mean of such updates does so, too. */
  function isFiniteAfter(update: Float32Array, parameters: Float32Array): boolean {
    // Parameters grow with the numbers of the update. A step of all numbers takes five times their memory.
    const isFinite = isStepFinite(extremesOf(update), extremesOf(parameters));
    return isFinite || isStepFinite(update, parameters);
  }

  function isStepFinite(update: Float32Array, parameters: Float32Array): boolean {
    try {
      strategy.apply(strategy.initial(parameters), update, 1);
      return true;
    } catch {
      return false;
    }
  }

  return {
    expected: () => roster,
    needed: () => needed,
    enough: () => Infinity,
    task: () => ({ fields: {}, payload: broadcast }),
    async accept({ site, fields }, payload) {
      const weight = fields['weight'];
      if (typeof weight !== 'number' || !(weight > 0 && weight <= MOST_WEIGHT)) {
        throw answerInvalid(`The weight ${JSON.stringify(weight)} is not above 0.`);
      }
      if (payload?.bytes !== 4 * length) {
        throw answerInvalid(
          `The update has ${payload?.bytes ?? 0} bytes, and the plan asks for ${length} float32.`,
        );
      }
      let at = 0;
      for await (const block of blocksOf(payload)) {
        const end = at + block.length / 4;
        for await (const before of blocksOf(rangeOf(broadcast, 4 * at, 4 * end))) {
          if (isFiniteAfter(floatsIn(block), floatsIn(before))) continue;
          throw answerInvalid(
            `The model would not be finite with numbers ${at} to ${end - 1} of the update.`,
          );
        }
        at = end;
      }
      updates.set(site, { weight, digest: payload.digest });
    },
    async close() {
      requireAnswers('train', updates.size, needed);
      return [];
    },
    suspects: () => [],
    liars: () => [],
    async sum() {
      const survivors = roster.filter((site) => updates.has(site));
      const stored = await Promise.all(
        survivors.map(async (site) => {
          const { weight, digest } = updates.get(site)!;
          return { weight, payload: await payloadOf(digest) };
        }),
      );
      if (robust !== undefined) {
        const all = await Promise.all(
          stored.map(async ({ payload }) => floatsIn(await payload.read())),
        );
        const weight = survivors.length;
        const update = Float64Array.from(robustUpdate(all, robust), (each) => weight * each);
        return { weight, survivors, read: (from, to) => update.subarray(from, to) };
      }
      return {
        weight: stored.reduce((sum, { weight }) => sum + weight, 0),
        survivors,
        read: weightedSums(stored),
      };
    },
  };
}

/** @returns reads numbers `from` to `to` of Σ weight · update, into the memory of the sum before. */
function weightedSums(
  updates: readonly { readonly weight: number; readonly payload: Payload }[],
): RoundSum['read'] {
  let memory = { sum: new Float64Array(0), bytes: new Uint8Array(0) };
  return async (from, to) => {
    const length = to - from;
    if (memory.sum.length < length) {
      memory = { sum: new Float64Array(length), bytes: new Uint8Array(4 * length) };
    }
    const sum = memory.sum.subarray(0, length).fill(0);
    const bytes = memory.bytes.subarray(0, 4 * length);
    const floats = floatsIn(bytes);
    for (const { weight, payload } of updates) {
      await payload.readInto(bytes, 4 * from);
      for (let i = 0; i < length; i += 1) sum[i] = sum[i]! + weight * floats[i]!;
    }
    return sum;
  };
}

/**
 * The number furthest from zero, with both signs; NaN if any is NaN. Compared as integers: before V8 has compiled a
 * loop, each float of it takes memory of the heap.
 */
function extremesOf({ buffer, byteOffset, length }: Float32Array): Float32Array {
  const bits = new Int32Array(buffer, byteOffset, length);
  let most = 0;
  for (let i = 0; i < length; i += 1) most = Math.max(most, bits[i]! & 0x7fff_ffff);
  const [furthest] = new Float32Array(Int32Array.of(most).buffer);
  return Float32Array.of(furthest!, -furthest!);
}

/** @param bytes that begin their memory. */
function floatsIn({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Float32Array {
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}
