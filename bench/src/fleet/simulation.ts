/** The gain of routing in a simulated fleet of 1,000 nodes, a fifth of them at half speed. */
import { LOCAL_FIRST, RANDOM_ONE_RETRY, SCENARIOS, simulate } from '@skein/fleet/simulation';
import type { RowGroup } from '../harness/row-group.ts';

export const SIMULATION: RowGroup = {
  measures: [
    {
      key: 'sim_goodput_1000',
      what: 'simulation, 1,000 nodes, a fifth at half speed, load 0.8, deadline 100 ms: goodput',
      unit: '',
      target: { atLeast: 0.985 },
    },
    {
      key: 'sim_lost_vs_random',
      what: 'the same over random, refusal and one retry: lost requests',
      unit: '×',
      target: { atMost: 0.3 },
    },
  ],
  measure({ quick, progress }) {
    progress('simulation of 1,000 nodes');
    const run = (policy: typeof LOCAL_FIRST) =>
      simulate({ nodes: 1000, scenario: SCENARIOS[0]!, policy, durationMs: quick ? 2000 : 20_000 });
    const [ours, random] = [run(LOCAL_FIRST), run(RANDOM_ONE_RETRY)];
    return Promise.resolve({
      results: {
        sim_goodput_1000: ours.goodput,
        sim_lost_vs_random: (1 - ours.goodput) / (1 - random.goodput),
      },
      details: { simulation: { ours, random } },
    });
  },
};
