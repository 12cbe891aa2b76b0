/** The entry of a thread that is one rank: a follower of the thread that started it. */
import { serve } from '@skein/calls/serve';
import { nativeBackend } from '../../run/native-backend.ts';
import { follow, type Dealing, type GroupOptions } from '../group.ts';
import type { RankPlan } from '../rank-plan.ts';
import type { BarrierOptions } from './barrier.ts';
import { sharedCollective, type SharedMemory } from './shared-collective.ts';
import { openedDataset, type SharedDataset } from './shared-dataset.ts';

export interface ThreadRank {
  readonly memory: SharedMemory;
  readonly place: BarrierOptions;
  readonly plan: RankPlan;
  readonly dealing: Omit<Dealing, 'data'> & { readonly data: SharedDataset };
  readonly options: Omit<GroupOptions, 'backend'>;
}

const calls = {
  follow({ memory, place, plan, dealing, options }: ThreadRank): Promise<void> {
    const data = openedDataset(dealing.data);
    return follow(
      sharedCollective(memory, place),
      plan,
      { ...dealing, data },
      { ...options, backend: nativeBackend },
    );
  },
};
export type RankCalls = typeof calls;
serve(calls);
