/**
 * How the answers of one attempt become a sum: one contract, an implementation for each aggregation
 * of a plan. An aggregator is a function of the answers in the order of their phases, so that a
 * coordinator that was killed makes it again from those that it had stored.
 */
import type { Signer } from '@skein/train/secure-aggregation';
import type { LedgerEvent } from '../../ledger/entry.ts';
import type { Plan } from '../../plan/plan.ts';
import type { AnswerRecord } from '../../store/federation-store.ts';
import type { Payload } from '../../transport/chunks.ts';
import type { MessageOf } from '../../transport/messages.ts';

export interface AttemptContext {
  readonly run: string;
  readonly plan: Plan;
  readonly planDigest: string;
  readonly round: number;
  readonly attempt: number;
  /** Keys of the sites, sorted. */
  readonly roster: readonly string[];
  /** Broadcast that sites train from, float32; [vectors × parameters]. */
  readonly broadcast: Payload;
  /** Digests of earlier broadcasts from which updates may come too; the newest last. */
  readonly earlier: readonly string[];
  /** Signs for the coordinator. */
  readonly leader: Signer;
  /** The payload of an answer that is stored. */
  readonly payloadOf: (digest: string) => Promise<Payload>;
}

export interface Task {
  readonly fields: MessageOf<'task'>['fields'];
  readonly payload?: Uint8Array<ArrayBuffer> | Payload | undefined;
}

export interface RoundSum {
  /** Σ weight. */
  readonly weight: number;
  /** Keys of the sites whose updates are in it. */
  readonly survivors: readonly string[];
  /** FedBuff: how many updates are 0, 1, … rounds behind, by the sites' own count. */
  readonly behind?: readonly number[];
  /** Numbers `from` to `to` of Σ weight · update over the survivors, [parameters]; until the next call. */
  read(from: number, to: number): Float64Array | Promise<Float64Array>;
}

export interface Aggregator {
  /** Keys of the sites, or of the helpers, that are to answer the present phase. */
  expected(): readonly string[];
  /** Fewest answers that the present phase can do with: it is closed when no more can come. */
  needed(): number;
  /** Answers with which the present phase ends, without those that are missing. */
  enough(): number;
  /** The task of a site in the present phase. */
  task(site: string): Task;
  /** @throws SkeinError ANSWER_INVALID and others; nothing of the answer is in the sum then. */
  accept(
    answer: Pick<AnswerRecord, 'site' | 'fields'>,
    payload: Payload | undefined,
  ): Promise<void>;
  /**
   * Ends the present phase; sites that have not answered have dropped out.
   * @returns the events of the phase for the ledger.
   * @throws SkeinError if too few are left.
   */
  close(): Promise<readonly LedgerEvent[]>;
  /** Sites that spoilt this attempt: the next one is made without them if there are enough others. */
  suspects(): readonly string[];
  /** Sites that were found to have given false shares; complete once `sum` has ended, with a sum or without. */
  liars(): readonly string[];
  /** After the last phase was closed; once. */
  sum(): Promise<RoundSum>;
}

export interface Aggregation {
  readonly phases: readonly string[];
  /** Phases in which sites train, which take longer. */
  readonly training: readonly string[];
  open(context: AttemptContext): Promise<Aggregator>;
}
