/**
 * The coordinator's store. There are two backends, SQLite and Redis; one contract test and one
 * model-based test run over both.
 *
 * Each write is one atomic transition, and durable before it resolves: a power cut after it loses
 * nothing of it, but for answers: they survive `kill -9`, and a site sends them again after a power cut. A run changes only under its revision, so that two coordinators cannot both take it
 * a step further, and its ledger grows in the same transition: there is no step without its entry.
 */
import type { FederationStatus } from '@skein/api';
import type { Plan } from '../plan/plan.ts';
import type { Place } from '../transport/messages.ts';
import type { LedgerEntry } from '../ledger/entry.ts';

/** The part of a run that changes. */
export interface RunState {
  readonly status: FederationStatus;
  /** Why it is paused or has ended. */
  readonly reason?: string | undefined;
  /** Rounds that are done; the number of the present one. */
  readonly round: number;
  /** Counts up with each abort of the present round. */
  readonly attempt: number;
  /** `gather` between rounds: waiting for sites. */
  readonly phase: string;
  /** Keys of the sites of this attempt, sorted. */
  readonly roster: readonly string[];
  /** Keys of the sites that spoilt the attempt before: the next one is made without them if it can be. */
  readonly suspects?: readonly string[] | undefined;
  /** Digest of the artifact with the present parameters, float32; absent before the first round. */
  readonly parameters?: string | undefined;
  /** FedBuff: digests of earlier broadcasts, as far back as updates may start from; the newest last. */
  readonly earlier?: readonly string[] | undefined;
  /** Digest of the artifact with the state of the server's optimiser. */
  readonly optimiser: string;
  /** Sums of each site, for a strategy whose sites continue from their last update; absent before its first sum. */
  readonly summed?: SummedSites | undefined;
  /** Sums that may have been released, aborted attempts included: each has spent privacy. */
  readonly releases: number;
}

export interface SummedSites {
  /** By key: the last round whose sum holds an update of it. */
  readonly rounds: Readonly<Record<string, number>>;
  /** Σ weight of them. */
  readonly weight: number;
}

export interface RunRecord {
  readonly id: string;
  readonly plan: Plan;
  readonly planDigest: string;
  readonly state: RunState;
  /** Counts up; a write with a stale revision is refused. */
  readonly revision: number;
  /** ms since the epoch. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface InvitationRecord {
  readonly id: string;
  readonly run: string;
  /** sha-256 of the secret, in hex; the secret is shown once and never stored. */
  readonly secretHash: string;
  readonly name: string;
  readonly role: 'site' | 'helper';
  /** How many keys may enrol with it. */
  readonly uses: number;
  /** ms since the epoch. */
  readonly expiresAt: number;
}

export interface MemberRecord {
  readonly run: string;
  /** Public key in hex. */
  readonly key: string;
  readonly name: string;
  readonly role: 'site' | 'helper';
  /** Digest of the plan that it signed, and its signature; absent before it has accepted. */
  readonly accepted?: { readonly plan: string; readonly signature: string } | undefined;
  readonly revokedAt?: number | undefined;
}

export interface AnswerRecord {
  readonly place: Place;
  /** Key of the site. */
  readonly site: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Digest of the artifact with the payload. */
  readonly payload?: string | undefined;
  readonly signature: string;
}

export interface FederationStore {
  /** @throws SkeinError FEDERATION_MOVED if there is a run of this id. */
  createRun(
    run: Pick<RunRecord, 'id' | 'plan' | 'planDigest' | 'state'>,
    first: LedgerEntry,
  ): Promise<RunRecord>;
  /** Newest first. */
  runs(): Promise<RunRecord[]>;
  run(id: string): Promise<RunRecord | undefined>;
  /**
   * The next state of a run, with the entries that give the reason.
   * @throws SkeinError FEDERATION_MOVED if the revision is stale, or the ledger does not end before
   *   the first entry.
   */
  advance(
    id: string,
    revision: number,
    state: RunState,
    entries: readonly LedgerEntry[],
  ): Promise<RunRecord>;
  /** With everything of it. */
  removeRun(id: string): Promise<boolean>;

  /** @throws SkeinError FEDERATION_UNKNOWN. */
  addInvitation(invitation: InvitationRecord): Promise<void>;
  /**
   * Uses an invitation. The same key may send it again: its answer may have been lost.
   * @param role for which the invitation has to be.
   * @throws SkeinError INVITATION_INVALID, IDENTITY_REVOKED.
   */
  enrol(
    run: string,
    key: string,
    role: MemberRecord['role'],
    proof: Pick<InvitationRecord, 'id' | 'secretHash'>,
  ): Promise<MemberRecord>;
  members(run: string): Promise<MemberRecord[]>;
  member(run: string, key: string): Promise<MemberRecord | undefined>;
  /** @returns false if the run has no such member. */
  accept(
    run: string,
    key: string,
    accepted: NonNullable<MemberRecord['accepted']>,
  ): Promise<boolean>;
  /** @returns false if there is no such member, or it was revoked before. */
  revoke(run: string, key: string): Promise<boolean>;

  /**
   * Stores an answer to the present phase of a run, of a site in its roster or of a helper.
   * @returns whether it is new; false: the same answer was stored before.
   * @throws SkeinError PHASE_CLOSED (another place, not in the roster, not running, or revoked),
   *   ANSWER_CONFLICT (the site has sent another answer).
   */
  addAnswer(run: string, answer: AnswerRecord): Promise<boolean>;
  /** The answers of one attempt, by phase and site. */
  answers(run: string, round: number, attempt: number): Promise<AnswerRecord[]>;
  /** Removes the answers of all attempts before this one. @returns the digests of their payloads. */
  dropAnswers(run: string, round: number, attempt: number): Promise<string[]>;

  /** Oldest first. */
  ledger(run: string, from: number, limit: number): Promise<LedgerEntry[]>;
  /** The last entry. @throws SkeinError FEDERATION_UNKNOWN. */
  ledgerTail(run: string): Promise<LedgerEntry>;
  close(): Promise<void>;
}
