/** The state of a run's server between two rounds, as artifacts. */
import type { ArtifactStore } from '@skein/state';
import type { Strategy } from '@skein/train/federated';
import { mostBehind } from '../../plan/buffer.ts';
import { afterSum } from './summed-sites.ts';
import { pseudonymOf } from '../../identity/keys.ts';
import type { LedgerEvent } from '../../ledger/entry.ts';
import type { Plan } from '../../plan/plan.ts';
import type { RunRecord, RunState } from '../../store/federation-store.ts';
import {
  broadcastOf,
  openState,
  stepState,
  type StateStep,
  type StoredState,
} from './server-state.ts';
import { contentOfFile } from '../storage/content.ts';
import { putContent, storedPayload } from '../storage/uploads.ts';

/** State with which the present round begins. */
export async function storedState(
  { state }: RunRecord,
  artifacts: ArtifactStore,
): Promise<StoredState> {
  return openState(await storedPayload(artifacts, state.optimiser));
}

export interface EndedRound extends Omit<StateStep, 'of'> {
  readonly record: RunRecord;
}

/** @returns the state of the run after the round, whose artifacts are stored, and the round's events for the ledger. */
export async function storeRound(
  { record: { plan, state }, strategy, before, sum, path }: EndedRound,
  artifacts: ArtifactStore,
): Promise<{ next: Partial<RunState>; finished: LedgerEvent }> {
  const { round, attempt } = state;
  const { survivors, behind } = sum;
  const { summed, of } = afterSum({ plan, state }, strategy, sum);
  const { bytes, ...at } = await stepState({ strategy, before, sum, of, path });
  const whole = contentOfFile(path, { start: 0, end: bytes });
  const optimiser = await putContent(artifacts, whole);
  const parameters = await putContent(artifacts, contentOfFile(path, at.parameters));
  const after = { round: round + 1, attempt: 0, phase: 'gather', roster: [] };
  return {
    next: {
      ...after,
      parameters,
      optimiser,
      summed,
      ...(await withEarlier(plan, state, before, strategy)),
    },
    finished: {
      kind: 'finished-round',
      round,
      attempt,
      survivors: await Promise.all(survivors.map(pseudonymOf)),
      ...(behind === undefined ? {} : { behind: [...behind] }),
      before: state.parameters ?? plan.model.digest,
      after: parameters,
    },
  };
}

/** Adds the earlier broadcasts from which updates of the next round may come. */
async function withEarlier(
  plan: Plan,
  { round, earlier = [] }: RunState,
  before: StoredState,
  strategy: Strategy,
): Promise<Pick<RunState, 'earlier'>> {
  const most = mostBehind(plan, round + 1);
  if (most === 0) return {};
  const { digest } = await broadcastOf(before, strategy.site);
  return { earlier: [...earlier, digest].slice(-most) };
}
