/** The entry of a thread that is one rank: a follower of the thread that started it. */
import { parentPort, workerData } from 'node:worker_threads';
import { nativeBackend } from '../../run/native-backend.ts';
import { follow, type Dealing, type GroupOptions } from '../group.ts';
import type { RankPlan } from '../rank-plan.ts';
import {
  sharedCollective,
  type SharedCollectiveOptions,
  type SharedMemory,
} from './shared-collective.ts';
import { openedDataset, type SharedDataset } from './shared-dataset.ts';

export interface ThreadRank {
  readonly memory: SharedMemory;
  readonly place: SharedCollectiveOptions;
  readonly plan: RankPlan;
  readonly dealing: Omit<Dealing, 'data'> & { readonly data: SharedDataset };
  readonly options: Omit<GroupOptions, 'backend'>;
}

const { memory, place, plan, dealing, options } = workerData as ThreadRank;
// Waiting for other ranks does not keep the event loop alive; a listener does.
const port = parentPort!;
port.on('message', () => undefined);
try {
  const data = openedDataset(dealing.data);
  await follow(
    sharedCollective(memory, place),
    plan,
    { ...dealing, data },
    {
      ...options,
      backend: nativeBackend,
    },
  );
} finally {
  port.close();
}
