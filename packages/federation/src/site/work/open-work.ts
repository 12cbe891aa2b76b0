/** The work of a site by an accepted plan: its training, and the phases of the plan's aggregation. */
import type { Joined } from '../../identity/handshake.ts';
import type { Plan } from '../../plan/plan.ts';
import { countsIn } from '../../statistics/layout.ts';
import type { SiteMemory } from '../memory/site-memory.ts';
import type { Work } from '../answers.ts';
import type { SiteOptions } from '../run-site.ts';
import type { Carried } from './carried.ts';
import { openCounting } from './counting.ts';
import { committeeWork } from './committee-work.ts';
import type { OnFault } from './hidden-faults.ts';
import { pairwiseWork } from './pairwise-work.ts';
import { plainWork } from './plain-work.ts';
import {
  openTraining,
  type SiteTraining,
  type TrainingOptions,
  type SecureOptions,
} from './training.ts';

export interface WorkOptions
  extends Omit<TrainingOptions, 'plan' | 'carried' | 'onFault'>, Pick<SecureOptions, 'run'> {
  readonly joined: Joined;
  readonly memory: Pick<SiteMemory, 'identity' | 'carriedOf' | 'carry'>;
  /** Called with the model of each round that the site trains; the answer waits for it. */
  readonly onBroadcast?: (round: number, broadcast: Float32Array) => Promise<void> | void;
  /** Called with faults that are hidden from the coordinator. */
  readonly onEvent?: SiteOptions['onEvent'];
}

type Kind = Plan['aggregation']['kind'];

const WORKS: Readonly<Record<Kind, (options: SecureOptions) => Promise<Work>>> = {
  none: async ({ plan, training }) => plainWork(plan, training),
  pairwise: pairwiseWork,
  committee: committeeWork,
};

/** @throws SkeinError PLAN_CHANGED when the model is not the one of the plan. */
export async function openWork({
  joined,
  memory,
  onBroadcast = () => {},
  onEvent = () => {},
  ...options
}: WorkOptions): Promise<Work> {
  const { plan, planDigest, coordinator } = joined;
  const { run } = options;
  const keys = await memory.identity();
  const carried: Carried = {
    load: () => memory.carriedOf(run),
    save: (bytes) => memory.carry(run, bytes),
  };
  const onFault: OnFault = (fault, round) => {
    const message = fault instanceof Error ? fault.message : String(fault);
    onEvent({ type: 'fault', round, message });
  };
  const isCounting = countsIn(plan) !== undefined;
  const open = isCounting ? openCounting : openTraining;
  const opened = await open({ ...options, plan, carried, onFault });
  const training: SiteTraining = {
    async update(round, broadcast, summed, seat) {
      const update = opened.update(round, broadcast, summed, seat);
      // Its model is not changed by a round, and the message of the round holds no parameters.
      if (isCounting) return update;
      await Promise.all([update, Promise.resolve(onBroadcast(round, broadcast))]);
      return update;
    },
  };
  return WORKS[plan.aggregation.kind]({
    ...options,
    keys,
    plan,
    planDigest,
    coordinator,
    training,
  });
}
