/**
 * A site of a federation: joins, reads the plan, and answers what the coordinator asks until the run
 * ends. Runs in Node and in the browser.
 *
 *     connecting → joined → answering … → ended
 *          ↑_________________|  the connection was lost
 *
 * Work continues while there is no connection, and its answer is sent after the next join. The site
 * trusts nothing from the coordinator: it checks the coordinator's key, the plan against the one that
 * it accepted, and the model against the plan.
 */
import { canonical } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { join, type Joined, type Remembered } from '../identity/handshake.ts';
import type { Invitation } from '../identity/invitation.ts';
import { identityOf } from '../identity/keys.ts';
import { type Channel, openChannel } from '../transport/channel.ts';
import { aggregationIn } from '../plan/kinds/choices.ts';
import { memoryChunks } from '../transport/chunks.ts';
import type { SeenEntry } from '../ledger/seen.ts';
import type { Connection } from '../transport/connection.ts';
import { endingWhenSilent } from '../transport/silence.ts';
import { type Place, protocolError } from '../transport/messages.ts';
import {
  Accusation,
  answerOnce,
  type Answer,
  type AnswersOptions,
  type Settled,
  type Task,
  type Work,
} from './answers.ts';
import { earlyMessages, fetchModel } from './fetch-model.ts';
import type { SiteMemory } from './memory/site-memory.ts';
import { type LedgerWitness, newestSeen, openWitness } from './witness.ts';

export type SiteEvent =
  | { readonly type: 'connected'; readonly name: string }
  | { readonly type: 'lost'; readonly retryMs: number; readonly reason: string }
  | { readonly type: 'task'; readonly round: number; readonly phase: string }
  | {
      readonly type: 'answered';
      readonly round: number;
      readonly phase: string;
      readonly bytes: number;
    }
  /** The coordinator has stored an answer: with a committee the site may leave. */
  | { readonly type: 'stored'; readonly round: number; readonly phase: string }
  /** The site adds zeros to a sum in place of its update, or of some examples, which the coordinator cannot see. */
  | { readonly type: 'fault'; readonly round: number; readonly message: string }
  | { readonly type: 'refused'; readonly code: string; readonly message: string }
  | {
      readonly type: 'status';
      readonly status: string;
      readonly round: number;
      readonly reason: string;
    };

export interface SiteOptions {
  readonly invitation: Invitation;
  /** Connects to the coordinator; rejects when it cannot be reached. */
  readonly open: () => Promise<Connection>;
  readonly memory: SiteMemory;
  /** Asked once per run, before anything is computed: throws to decline. */
  readonly consent: (joined: Joined) => Promise<void>;
  /** Prepares the work of an accepted plan; called once. `fetchModel` gives the verified model. */
  readonly prepare: (
    joined: Joined,
    fetchModel: () => Promise<Uint8Array<ArrayBuffer>>,
  ) => Promise<Work>;
  readonly onEvent?: (event: SiteEvent) => void;
  /** See `AnswersOptions`. */
  readonly charge?: AnswersOptions['charge'];
  /** Leaves as soon as the coordinator has stored one answer: for plans with a committee. */
  readonly once?: boolean;
  /** Connects again when nothing has come for so many milliseconds; default `SILENT_MS`. */
  readonly silentMs?: number;
  readonly signal: AbortSignal;
}

export interface SiteEnd {
  readonly status: 'finished' | 'stopped' | 'failed' | 'left';
  readonly round: number;
  readonly reason: string;
  /** The newest entry of the ledger that this site has seen: for `verifyLedger`. */
  readonly seen?: SeenEntry | undefined;
}

/** Tasks that may wait for their answers: tasks of attempts that were aborted while the site trained. */
const MOST_TASKS = 16;
/** Largest payload that a site takes: a model of 250 million float32. */
const MAX_PAYLOAD_BYTES = 2 ** 30;
/** Wait before the next connection, in milliseconds: doubled up to the bound, and spread. */
const RETRY_MS = { least: 250, most: 15_000 };
const ENDS = new Set(['finished', 'stopped', 'failed']);

/** @throws SkeinError for what waiting cannot help: a declined plan, a revoked key, another plan. */
export async function runSite(options: SiteOptions): Promise<SiteEnd> {
  const { signal, onEvent = () => {} } = options;
  const site = await openSite(options, onEvent);
  let failures = 0;
  for (;;) {
    if (signal.aborted) {
      return { status: 'left', round: site.round, reason: 'left', seen: site.seen };
    }
    let reason = 'The connection was lost.';
    try {
      const end = await site.serve(() => (failures = 0));
      if (end !== undefined) return end;
    } catch (error) {
      if (!isTransient(error)) throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
    if (signal.aborted) continue;
    const bound = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** failures++);
    const retryMs = bound * (0.5 + Math.random() / 2);
    onEvent({ type: 'lost', retryMs, reason });
    await pause(retryMs, signal);
  }
}

async function openSite(options: SiteOptions, onEvent: (event: SiteEvent) => void) {
  const { invitation, memory, signal } = options;
  const { run } = invitation;
  const identity = identityOf(await memory.identity());
  let prepared: { readonly answer: (task: Omit<Task, 'state'>) => Promise<Answer> } | undefined;
  let witness: LedgerWitness | undefined;
  /** Parts of a payload that have arrived outlive their connection. */
  const chunks = memoryChunks(MAX_PAYLOAD_BYTES);
  /** Aborted when the next task comes, or the connection is lost. */
  let superseded = new AbortController();
  let round = 0;
  let reported = '';
  /** Tasks whose answers are computed, or on their way. */
  let unanswered = 0;
  /** The newest answer whose outcome its work waits for. */
  let unsettled: { readonly place: Place; readonly settled: Settled } | undefined;

  /** @returns whether it was waited for. @param place of the answer; undefined: whichever it is. */
  function settle(isTaken: boolean, place = unsettled?.place): boolean {
    if (unsettled === undefined || canonical(place) !== canonical(unsettled.place)) return false;
    unsettled.settled(isTaken);
    unsettled = undefined;
    return true;
  }

  async function accept(joined: Joined): Promise<Remembered> {
    const accepted = await memory.acceptedOf(run);
    if (accepted === undefined) await options.consent(joined);
    const kept = await memory.accept(run, joined.planDigest);
    if (kept === joined.planDigest) {
      const { releasing } = aggregationIn(joined.plan);
      const seen = await newestSeen(memory, run);
      const releases = await memory.attemptsOf(run, releasing);
      return { releases, ...(seen === undefined ? {} : { seen }) };
    }
    throw new SkeinError(
      'SITE_PLAN_CHANGED',
      `The plan has the digest ${joined.planDigest.slice(0, 16)}…, but this site accepted ${kept.slice(0, 16)}….`,
    );
  }

  /** @returns how the run has ended; `undefined` when the connection was lost. */
  async function serve(connected: () => void): Promise<SiteEnd | undefined> {
    const connection = endingWhenSilent(await options.open(), options.silentMs);
    const channel = openChannel(connection, chunks);
    const leave = () => channel.close();
    signal.addEventListener('abort', leave, { once: true });
    try {
      const joined = await join(channel, {
        identity: await identity,
        invitation,
        accept,
      });
      connected();
      onEvent({ type: 'connected', name: joined.name });
      return await answering(channel, joined);
    } finally {
      superseded.abort();
      // Whether it has arrived is not known.
      settle(true);
      signal.removeEventListener('abort', leave);
      channel.close();
    }
  }

  async function answering(channel: Channel, joined: Joined): Promise<SiteEnd | undefined> {
    const { coordinator } = joined;
    witness ??= await openWitness({ run, coordinator, identity: await identity, memory });
    witness.begin();
    /** Messages that came before the model. */
    const early = earlyMessages();
    if (prepared === undefined) {
      const work = await options.prepare(joined, () => fetchModel(channel, joined, early));
      const { plan, planDigest } = joined;
      const { charge } = options;
      const own = await identity;
      const answer = answerOnce({ run, plan, planDigest, identity: own, memory, work, charge });
      prepared = { answer };
    }
    const { answer } = prepared;
    for (;;) {
      const arrival = early.shift() ?? (await channel.receive());
      if (arrival === undefined) return undefined;
      const { message, payload } = arrival;
      if (message.kind === 'task') {
        if (unanswered >= MOST_TASKS) {
          throw protocolError(`More than ${MOST_TASKS} tasks wait for their answers.`);
        }
        round = message.place.round;
        superseded.abort();
        superseded = new AbortController();
        const task = {
          place: message.place,
          fields: message.fields,
          payload: await payload?.read(),
          signal: superseded.signal,
        };
        // The next message may come while this is computed.
        void answered(channel, answer(task), task);
      } else if (message.kind === 'entry') {
        await channel.send(await witness.sign(message.entry));
      } else if (message.kind === 'status') {
        round = message.round;
        const { status, reason = '' } = message;
        const now = { type: 'status', status, round, reason } as const;
        // The coordinator sends the status from time to time, also where nothing has changed.
        if (canonical(now) !== reported) onEvent(now);
        reported = canonical(now);
        if (!ENDS.has(status)) continue;
        await memory.eraseBefore({ run, round: Number.MAX_SAFE_INTEGER, attempt: 0 });
        await memory.carry(run, undefined);
        return { status: status as SiteEnd['status'], round, reason, seen: witness.newest };
      } else if (message.kind === 'acknowledge') {
        const { round: at, phase } = message.place;
        settle(true, message.place);
        onEvent({ type: 'stored', round: at, phase });
        if (options.once !== true) continue;
        const reason = 'The update of this round is sent.';
        return { status: 'left', round: at, reason, seen: witness.newest };
      } else if (message.kind === 'refuse') {
        const isLate = message.code === 'PHASE_CLOSED';
        // A site whose update serves another round reports nothing.
        if (settle(!isLate, message.place) && isLate) continue;
        onEvent({ type: 'refused', code: message.code, message: message.message });
      }
    }
  }

  async function answered(
    channel: Channel,
    work: Promise<Answer>,
    { place, signal }: Pick<Task, 'place' | 'signal'>,
  ): Promise<void> {
    const { round: at, phase } = place;
    onEvent({ type: 'task', round: at, phase });
    unanswered += 1;
    try {
      const { header, payload, settled } = await work;
      if (settled !== undefined) unsettled = { place, settled };
      await channel.send({ kind: 'answer', ...header }, payload);
      onEvent({ type: 'answered', round: at, phase, bytes: payload?.length ?? 0 });
    } catch (error) {
      if (error === signal?.reason) return;
      settle(true, place);
      const { code, message } =
        error instanceof SkeinError
          ? error
          : { code: 'INTERNAL', message: 'The site has a fault.' };
      onEvent({ type: 'refused', code, message });
      const accused = error instanceof Accusation ? { accused: [...error.accused] } : {};
      await channel.send({ kind: 'refuse', code, message, place, ...accused }).catch(() => {});
    } finally {
      unanswered -= 1;
    }
  }

  return {
    serve,
    get round() {
      return round;
    },
    get seen() {
      return witness?.newest;
    },
  };
}

/** Whether waiting may help. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof SkeinError)) return true;
  // A certificate may be renewed, and a clock be set.
  return error.row.kind === 'load' || /^(FEDERATION_PROTOCOL|TLS_FAILED)$/.test(error.code);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
