/** The artifacts that the runs of a store need; a coordinator removes every other one. */
import type { FederationStore, RunRecord } from '../../store/federation-store.ts';

type Read = Pick<FederationStore, 'runs' | 'answers'>;

/** @returns digests of the models and the states of all runs, and of the answers to their present attempts. */
export async function namedArtifacts(store: Read): Promise<ReadonlySet<string>> {
  const runs = await store.runs();
  return new Set((await Promise.all(runs.map((run) => namedBy(run, store)))).flat());
}

export async function namedBy(
  { id, plan, state }: RunRecord,
  store: Pick<Read, 'answers'>,
): Promise<string[]> {
  const { parameters, optimiser, round, attempt } = state;
  const answers = await store.answers(id, round, attempt);
  const payloads = answers.map(({ payload }) => payload);
  return [plan.model.digest, parameters, optimiser, ...payloads].filter(
    (digest) => digest !== undefined,
  );
}
