/**
 * Answers tasks of a coordinator, each place once, ever: the answer is stored before it is sent, and
 * a task that comes again, after a lost connection or a restart, gets the stored bytes.
 */
import { SkeinError } from '@skein/api/errors';
import type { Identity } from '../identity/keys.ts';
import { canonical, sha256, utf8 } from '@skein/api/canonical';
import { MOST_ATTEMPTS } from '../plan/encoding.ts';
import { aggregationIn } from '../plan/kinds/choices.ts';
import { isBudgetSpent } from '../plan/spent.ts';
import {
  type MessageOf,
  type Place,
  protocolError,
  type SignedAnswer,
} from '../transport/messages.ts';
import { answerTimes, type AnswerTimesOptions } from './answer-times.ts';
import type { Attempt, SiteMemory } from './memory/site-memory.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface Task {
  readonly place: Place;
  readonly fields: MessageOf<'task'>['fields'];
  readonly payload: Bytes | undefined;
  /** Aborted when something else is asked for, or the connection is lost: what waits need wait no more. */
  readonly signal?: AbortSignal | undefined;
  /** State that the site kept from earlier phases of this attempt. */
  readonly state: Bytes | undefined;
}

export interface Outcome {
  readonly fields: MessageOf<'answer'>['fields'];
  readonly payload?: Bytes | undefined;
  /** State for the next phase of this attempt; stored with the answer. */
  readonly state?: Bytes | undefined;
  readonly settled?: Settled | undefined;
}

/**
 * Called once with the outcome of an answer that was sent.
 * @param isTaken false: it came too late, and is in no sum; true: it was stored, or nothing is known.
 */
export type Settled = (isTaken: boolean) => void;

/** Why a work gives no answer: shares that these sites dealt are false. */
export class Accusation extends SkeinError {
  /** Keys of the sites. */
  readonly accused: readonly string[];

  constructor(accused: readonly string[], cause: SkeinError) {
    super(cause.code, cause.message, { cause });
    this.accused = accused;
  }
}

/** Computes an answer. It may be called again for a place only if nothing was stored. */
export type Work = (task: Task) => Promise<Outcome>;

export interface Answer {
  readonly header: Pick<MessageOf<'answer'>, 'place' | 'fields' | 'signature'>;
  readonly payload: Bytes | undefined;
  readonly settled?: Settled | undefined;
}

export interface AnswersOptions extends Omit<AnswerTimesOptions, 'memory'> {
  /** Digest of the accepted plan. */
  readonly planDigest: string;
  readonly identity: Identity;
  readonly memory: SiteMemory;
  readonly work: Work;
  /** Counts releases of this run beyond it, before the next one is computed; throws to refuse it. */
  readonly charge?: ((releases: number) => Promise<void> | void) | undefined;
}

/** @returns answers a task; calls for one place at the same time share one computation. */
export function answerOnce(
  options: AnswersOptions,
): (task: Omit<Task, 'state'>) => Promise<Answer> {
  const { run, plan, planDigest, identity, memory, work, charge } = options;
  const timed = answerTimes(options);
  const { giving, releasing } = aggregationIn(plan);
  const isCounted = (phase: string): boolean => phase === releasing || phase === giving;
  const running = new Map<
    string,
    { readonly answer: Promise<Answer>; readonly of: AbortSignal | undefined }
  >();
  /** Answers that count as releases are computed one after the other. */
  let released: Promise<unknown> = Promise.resolve();
  /** The newest attempt that was asked for; what is older is erased. */
  let newest: Attempt | undefined;

  /** Holds the coordinator to the accepted plan. @throws SkeinError FEDERATION_PROTOCOL, PRIVACY_BUDGET_SPENT. */
  async function requireAllowed({ round, attempt, phase }: Place): Promise<void> {
    if (round >= plan.rounds || attempt >= MOST_ATTEMPTS) {
      throw protocolError(
        `Attempt ${attempt} of round ${round} is asked for, but the plan has ${plan.rounds} rounds of at most ${MOST_ATTEMPTS} attempts.`,
      );
    }
    if (phase !== releasing) return;
    if (!isBudgetSpent(plan, await memory.attemptsOf(run, phase))) return;
    throw new SkeinError(
      'PRIVACY_BUDGET_SPENT',
      `Round ${round} is asked for, but this site has answered as often as the privacy budget of the plan allows.`,
    );
  }

  /** An answer that was charged and not stored was not sent: the next one is charged as the same. */
  async function charged({ phase }: Place): Promise<void> {
    if (charge === undefined || phase !== giving) return;
    await charge((await memory.attemptsOf(run, phase)) + 1);
  }

  async function stored(task: Omit<Task, 'state'>): Promise<Answer> {
    const { place } = task;
    const question = { run, ...place };
    const known = await memory.answerOf(question);
    if (known !== undefined) return decoded(known, place);
    await requireAllowed(place);
    await charged(place);
    if (newest === undefined || isAfter(place, newest)) {
      newest = question;
      await memory.eraseBefore(question);
    }
    return timed(place.phase, () => computed(task));
  }

  async function computed(task: Omit<Task, 'state'>): Promise<Answer> {
    const { place } = task;
    const question = { run, ...place };
    const state = (await memory.stateOf(question)) as Bytes | undefined;
    const { fields, payload, state: after, settled } = await work({ ...task, state });
    try {
      const digest = payload === undefined ? undefined : await sha256(payload);
      const signed: SignedAnswer = { run, plan: planDigest, place, fields, payload: digest };
      const signature = await identity.sign('answer', signed);
      const header = { place, fields, signature };
      const kept = await memory.answerOnce(question, encoded(header, payload), after);
      return { ...decoded(kept, place), settled };
    } catch (error) {
      // It is not stored, so that it is not sent.
      settled?.(false);
      throw error;
    }
  }

  return (task) => {
    const key = canonical(task.place);
    const known = running.get(key);
    const isNext = isCounted(task.place.phase);
    // A work may give up when its connection is lost: what is counted is asked for again, after it.
    if (known !== undefined && !(isNext && known.of?.aborted)) return known.answer;
    const answered = isNext ? released.then(() => stored(task)) : stored(task);
    if (isNext) released = answered.catch(() => {});
    const answer = answered.finally(() => {
      if (running.get(key)?.answer === answer) running.delete(key);
    });
    running.set(key, { answer, of: task.signal });
    return answer;
  };
}

function isAfter(place: Place, than: Attempt): boolean {
  return place.round > than.round || (place.round === than.round && place.attempt > than.attempt);
}

/** Length of the header as u32, little-endian │ header, JSON │ payload, if there is one. */
function encoded(header: Answer['header'], payload: Bytes | undefined): Bytes {
  const text = utf8(JSON.stringify({ ...header, hasPayload: payload !== undefined }));
  const bytes = new Uint8Array(4 + text.length + (payload?.length ?? 0));
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  if (payload !== undefined) bytes.set(payload, 4 + text.length);
  return bytes;
}

/** @throws SkeinError ANSWER_CONFLICT for an answer that was erased when its round ended. */
function decoded(bytes: Uint8Array, { round, attempt, phase }: Place): Answer {
  if (bytes.length === 0) {
    throw new SkeinError(
      'ANSWER_CONFLICT',
      `Phase ${phase} of round ${round}, attempt ${attempt}, was answered before and is over.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const end = 4 + view.getUint32(0, true);
  const { hasPayload, ...header } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(4, end)),
  ) as Answer['header'] & { readonly hasPayload: boolean };
  return { header, payload: hasPayload ? bytes.slice(end) : undefined };
}
