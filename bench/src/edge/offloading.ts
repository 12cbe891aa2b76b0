/** Deadline misses of the device's policy over a clairvoyant one, by the simulation of the policy's own test. */
import { offloadRegretPp } from '../../../packages/edge/src/hybrid/simulation.ts';
import type { RowGroup } from '../harness/row-group.ts';

const CASES = 10_000;
const QUICK_CASES = 2000;

export const OFFLOADING: RowGroup = {
  measures: [
    {
      key: 'offload_regret_pp',
      what: 'deadline misses over a clairvoyant policy, simulated',
      unit: ' points',
      target: { atMost: 1 },
    },
  ],
  async measure({ quick, progress }) {
    progress('offloading');
    // Other seeds than the test's.
    const seed = 100_000;
    return {
      results: { offload_regret_pp: offloadRegretPp(quick ? QUICK_CASES : CASES, seed) },
      details: {},
    };
  },
};
