/** Shared by the tests of a committee: phases that are changed, and the events of its ledger. */
import { expect, vi } from 'vitest';
import type { LedgerEvent } from '../../ledger/entry.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import type { Outcome, Work } from '../../site/answers.ts';
import { type Running, type TestCommittee } from './committee.ts';

export const patient = { timeout: 45_000, interval: 20 };

export async function finished({ at, id }: TestCommittee) {
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).status).toBe('finished'),
    patient,
  );
  return at.coordinator.ledger(id);
}
export const of = <K extends LedgerEvent['kind']>(
  { entries }: Awaited<ReturnType<typeof finished>>,
  kind: K,
) =>
  entries.flatMap(({ event }) =>
    event.kind === kind ? [event as Extract<LedgerEvent, { kind: K }>] : [],
  );

export const PRIVATE: Partial<PlanDraft> = {
  strategy: { name: 'fedsgd' },
  privacy: { mode: 'client', noise: 20, epsilon: 2, delta: 1e-3 },
  rounds: 2,
};
/** A phase lasts as long as it takes; tests that wait for its end set another time. */
export const SLOW: Partial<PlanDraft> = { deadlines: { phaseMs: 60_000, trainMs: 60_000 } };

export const all = (committee: TestCommittee): readonly Running[] =>
  committee.helpers.map((_, number) => committee.helper(number));
export const sites = (committee: TestCommittee, numbers: readonly number[], weight = 1) =>
  Promise.all(numbers.map((number) => committee.site(number, { weight })));
/** Runs two helpers and four sites, and a third helper that dies when it is asked for masks. */
export async function loseInMasks(committee: TestCommittee): Promise<void> {
  for (const number of [0, 1]) committee.helper(number);
  const dying = Promise.withResolvers<void>();
  const dead = committee.helper(2, (work) => async (task) => {
    if (task.place.phase !== 'masks') return work(task);
    dying.resolve();
    return new Promise(() => {});
  });
  await sites(committee, [1, 2, 3, 4]);
  await dying.promise;
  await dead.kill();
}
/** Changes the outcome of a phase, of the attempts that `when` names. */
export const inPhase =
  (phase: string, change: (outcome: Outcome) => Outcome, when: (attempt: number) => boolean) =>
  (work: Work): Work =>
  async (task) => {
    const outcome = await work(task);
    const { place } = task;
    return place.phase === phase && when(place.attempt) ? change(outcome) : outcome;
  };
/** Notes the first number that a site trains from in each round. */
export function watched() {
  const seen: number[] = [];
  const onBroadcast = ([first]: Float32Array): unknown =>
    seen.at(-1) === first ? 0 : seen.push(first!);
  return { onBroadcast, gain: () => seen[1]! - seen[0]! };
}
export const flipped = (bytes: Uint8Array<ArrayBuffer>, at: number) =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
