/**
 * The events of `GET /api/v1/events`. A stream opens with one `deployment` event for every
 * deployment, so a reader never needs a second call for its initial state, and with one `run` event
 * for every training run in progress; then it sends changes.
 * Only `history` events carry an id, the history entry's own, which is durable: a reader that
 * reconnects with it misses no decision, even across a restart of the node.
 */
import { z } from 'zod';
import { DeploymentView } from './deployment.ts';
import { HistoryView } from './record.ts';
import { RunSummary } from './run.ts';

export const NodeEvent = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('deployment'),
      data: DeploymentView.describe('The deployment as it is now; sent at most once a second.'),
    }),
    z.object({
      type: z.literal('undeployed'),
      data: z.object({ name: z.string() }).describe('The deployment is gone.'),
    }),
    z.object({
      type: z.literal('run'),
      data: RunSummary.describe(
        'A training run that is in progress or has just ended, as it is now: its newest epoch, and its newest step; sent at most once a second.',
      ),
    }),
    z.object({
      type: z.literal('history'),
      data: HistoryView.describe(
        'A decision or change, with its reason; its id is the event’s id.',
      ),
    }),
  ])
  .meta({ id: 'NodeEvent' });
export type NodeEvent = z.infer<typeof NodeEvent>;
