/** Makes an attempt again from what is stored of it, and tells whose fault its end is. */
import { fromHex } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore } from '@skein/state';
import type { Identity } from '../identity/keys.ts';
import type { FederationStore, RunRecord } from '../store/federation-store.ts';
import { type Aggregator, aggregationOf } from './aggregation/aggregator.ts';
import { artifactPayload, readArtifact } from './uploads.ts';

interface RestoreOptions {
  readonly artifacts: ArtifactStore;
  readonly store: FederationStore;
  readonly identity: Identity;
}

/**
 * The stored answers are given to a new aggregator, phase by phase.
 * @returns it, in the present phase, and the sites that have answered this phase.
 */
export async function restoreAttempt(
  { id, plan, planDigest, state }: RunRecord,
  broadcast: Uint8Array<ArrayBuffer>,
  { artifacts, store, identity }: RestoreOptions,
): Promise<{ readonly aggregator: Aggregator; readonly answered: readonly string[] }> {
  const { round, attempt, roster, phase } = state;
  const aggregation = aggregationOf(plan);
  const { phases } = aggregation;
  const aggregator = await aggregation.open({
    run: id,
    plan,
    planDigest,
    round,
    attempt,
    roster,
    broadcast,
    leader: { publicKey: fromHex(identity.key), sign: identity.signBytes },
    read: (digest) => readArtifact(artifacts, digest),
  });
  const answers = await store.answers(id, round, attempt);
  const answered: string[] = [];
  for (const each of phases.slice(0, phases.indexOf(phase) + 1)) {
    for (const answer of answers.filter(({ place }) => place.phase === each)) {
      const { payload: digest, site } = answer;
      const payload =
        digest === undefined
          ? undefined
          : artifactPayload(artifacts, digest, await artifacts.sizeOf(digest));
      await aggregator.accept(answer, payload);
      if (each === phase) answered.push(site);
    }
    if (each !== phase) await aggregator.close();
  }
  return { aggregator, answered };
}

/** Whether trying the round again may help: not for a fault of the store or the disk. */
export function isOfSites(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'TrainError') return true;
  return (
    error instanceof SkeinError &&
    (error.code === 'SITES_MISSING' || /^(AGGREGATION|ANSWER|ARTIFACT)_/.test(error.code))
  );
}

/** First and longest wait before an aborted round is tried again, in milliseconds. */
const RETRY_MS = { first: 100, most: 10_000 };

export function retryAfterMs(attempt: number): number {
  return Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(attempt, 20));
}
