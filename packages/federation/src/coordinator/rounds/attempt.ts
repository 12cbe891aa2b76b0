/** Makes an attempt again from its stored answers, and finds whose fault its end is. */
import { SkeinError } from '@skein/api/errors';
import { isOver } from '@skein/api/federations';
import type { ArtifactStore, Sweeper } from '@skein/state';
import { type Identity, pseudonymOf, signerOf } from '../../identity/keys.ts';
import type { LedgerEvent } from '../../ledger/entry.ts';
import { helpersOf } from '../../plan/helpers.ts';
import { aggregationIn } from '../../plan/kinds/choices.ts';
import type { FederationStore, RunRecord } from '../../store/federation-store.ts';
import type { Aggregator } from '../aggregation/aggregator.ts';
import type { Payload } from '../../transport/chunks.ts';
import type { Place } from '../../transport/messages.ts';
import { storedPayload } from '../storage/uploads.ts';
import { aggregationOf } from '../aggregation/aggregations.ts';

export interface ConductorOptions {
  readonly store: FederationStore;
  readonly artifacts: ArtifactStore;
  /** Signs what secure sums ask of the coordinator. */
  readonly identity: Identity;
  /** Removes artifacts that no run names. */
  readonly sweeper: Sweeper;
  /** Removes what sites have begun to send to a run. */
  readonly forgetUploads: (run: string) => Promise<void>;
  /** For the file that the next state of this run is written to. */
  readonly folder: string;
  readonly onFault: (error: unknown) => void;
  /** After each change that a view shows. */
  readonly onChange: () => void;
}

/**
 * The stored answers are given to a new aggregator, phase by phase.
 * @returns it, in the present phase, and the sites that have answered this phase.
 */
export async function restoreAttempt(
  { id, plan, planDigest, state }: RunRecord,
  broadcast: Payload,
  { artifacts, store, identity }: Pick<ConductorOptions, 'artifacts' | 'store' | 'identity'>,
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
    earlier: state.earlier ?? [],
    leader: signerOf(identity),
    payloadOf: (digest) => storedPayload(artifacts, digest),
  });
  const answers = await store.answers(id, round, attempt);
  const answered: string[] = [];
  for (const each of phases.slice(0, phases.indexOf(phase) + 1)) {
    for (const answer of answers.filter(({ place }) => place.phase === each)) {
      const { payload: digest, site } = answer;
      const payload = digest === undefined ? undefined : await storedPayload(artifacts, digest);
      await aggregator.accept(answer, payload);
      if (each === phase) answered.push(site);
    }
    if (each !== phase) await aggregator.close();
  }
  return { aggregator, answered };
}

/** @throws SkeinError FEDERATION_ENDED. */
export function requireLiving({ id, state }: RunRecord): void {
  if (!isOver(state)) return;
  throw new SkeinError('FEDERATION_ENDED', `The federation ${id} is ${state.status}.`);
}

/**
 * The events for the ledger of sites that gave false shares; nothing of sites outside the roster.
 * @param by the site that accuses them; undefined: the coordinator has found it.
 */
export async function accusations(
  { state: { roster, round, attempt, phase } }: Pick<RunRecord, 'state'>,
  accused: readonly string[],
  by?: string,
): Promise<readonly LedgerEvent[]> {
  const others = roster.filter((site) => site !== by && accused.includes(site));
  if (others.length === 0 || (by !== undefined && !roster.includes(by))) return [];
  const sites = await Promise.all(others.map(pseudonymOf));
  const accuser = by === undefined ? {} : { by: await pseudonymOf(by) };
  return [{ kind: 'accused', round, attempt, phase, ...accuser, sites }];
}

/** Removes the answers to earlier attempts, after the end to all, with their payloads and what else is not needed. */
export async function dropAnswers(
  { id, plan, state }: RunRecord,
  { store, sweeper, forgetUploads }: Pick<ConductorOptions, 'store' | 'sweeper' | 'forgetUploads'>,
  more: readonly (string | undefined)[] = [],
): Promise<void> {
  const attempt = state.attempt + Number(isOver(state));
  const old = [...(await store.dropAnswers(id, state.round, attempt)), ...more];
  await sweeper.sweep(old.filter((digest) => digest !== undefined));
  // Sites that pass are many, and few of them come back.
  if (aggregationIn(plan).isOneMessage) await forgetUploads(id);
}

type Record = Pick<RunRecord, 'plan' | 'state'>;

/** Whether a key answers the present attempt, if there is one. */
export const takesPart = ({ plan, state }: Record, key: string): boolean =>
  !isOver(state) &&
  state.phase !== 'gather' &&
  (state.roster.includes(key) || helpersOf(plan).some(({ identity }) => identity === key));

/**
 * Checks a key whose payload is to be stored: any holder of an open invitation could fill the disk.
 * @throws SkeinError PHASE_CLOSED for a key outside the roster of the present attempt.
 */
export function requirePart(record: Record, key: string): void {
  if (!takesPart(record, key)) throw closed(record.state);
}

export const closed = ({ phase }: Pick<Place, 'phase'>): SkeinError =>
  new SkeinError('PHASE_CLOSED', `Phase ${phase} expects no answer of this site.`);

/** Whether trying the round again may help: not for a fault of the store or the disk. */
export function isOfSites(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'TrainError') return true;
  return (
    error instanceof SkeinError &&
    (error.code === 'SITES_MISSING' || /^(AGGREGATION|ANSWER|ARTIFACT)_/.test(error.code))
  );
}

/** A fault of the store or the disk, which is none of who sent something. */
export function isOfStore(error: unknown): boolean {
  return error instanceof SkeinError && /^(STORE|STORAGE|STATE|DATA_FOLDER)_/.test(error.code);
}

/** First and longest wait before an aborted round is tried again, in milliseconds. */
const RETRY_MS = { first: 100, most: 10_000 };

export function retryAfterMs(attempt: number): number {
  return Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(attempt, 20));
}
