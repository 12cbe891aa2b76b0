/**
 * The sum of updates that the coordinator sees: phase `train`. The answer is the update as float32,
 * and the site's weight. The updates are read one by one when all are there, in the order of the
 * roster, so that the sum is the same after a restart; all at once where a robust aggregate compares them.
 */
import { SkeinError } from '@skein/api/errors';
import { robustUpdate } from '@skein/train/federated';
import type { Payload } from '../../transport/chunks.ts';
import type { Aggregator, AttemptContext } from './aggregator.ts';
import { leastSites, requireAnswers } from './threshold.ts';

/** A weight is a number of rows. */
const MOST_WEIGHT = 1e12;

export async function openPlain({ plan, roster, broadcast }: AttemptContext): Promise<Aggregator> {
  const updates = new Map<string, { readonly weight: number; readonly payload: Payload }>();
  const length = broadcast.byteLength / 4;
  const { aggregation } = plan;
  const robust = aggregation.kind === 'none' ? aggregation.robust : undefined;
  const needed = leastSites({ plan, roster });
  return {
    expected: () => roster,
    needed: () => needed,
    task: () => ({ fields: {}, payload: broadcast }),
    async accept({ site, fields }, payload) {
      const weight = fields['weight'];
      if (typeof weight !== 'number' || !(weight > 0 && weight <= MOST_WEIGHT)) {
        throw new SkeinError(
          'ANSWER_INVALID',
          `The weight ${JSON.stringify(weight)} is not above 0.`,
        );
      }
      if (payload?.bytes !== 4 * length) {
        throw new SkeinError(
          'ANSWER_INVALID',
          `The update has ${payload?.bytes ?? 0} bytes, and the plan asks for ${length} float32.`,
        );
      }
      const flaw = (await floatsOf(payload)).findIndex((number) => !Number.isFinite(number));
      if (flaw >= 0)
        throw new SkeinError('ANSWER_INVALID', `Number ${flaw} of the update is not finite.`);
      updates.set(site, { weight, payload });
    },
    close: async () => requireAnswers('train', updates.size, needed),
    async sum() {
      const sum = new Float64Array(length);
      let weight = 0;
      const survivors = roster.filter((site) => updates.has(site));
      if (robust !== undefined) {
        const all = await Promise.all(
          survivors.map((site) => floatsOf(updates.get(site)!.payload)),
        );
        return { sum: Float64Array.from(robustUpdate(all, robust)), weight: 1, survivors };
      }
      for (const site of survivors) {
        const update = updates.get(site)!;
        const floats = await floatsOf(update.payload);
        for (let i = 0; i < length; i += 1) sum[i] = sum[i]! + update.weight * floats[i]!;
        weight += update.weight;
      }
      return { sum, weight, survivors };
    },
  };
}

async function floatsOf(payload: Payload): Promise<Float32Array> {
  const bytes = await payload.read();
  // A copy where the bytes do not begin at a multiple of four.
  return bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    : new Float32Array(bytes.slice().buffer);
}
