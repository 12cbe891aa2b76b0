/** One connection of a site or helper that has proved its key and accepted the plan. */
import { SkeinError } from '@skein/api/errors';
import { isSignedBy } from '../../identity/keys.ts';
import type { AnswerRecord, MemberRecord, RunRecord } from '../../store/federation-store.ts';
import type { Channel } from '../../transport/channel.ts';
import type { MessageOf, Place, SignedAnswer } from '../../transport/messages.ts';
import type { Task } from '../aggregation/aggregator.ts';

export interface Session {
  readonly key: string;
  readonly role: MemberRecord['role'];
  readonly channel: Channel;
  /** The place of the last task that was sent over this connection. */
  asked?: string;
  /** Digest of the task's payload, where that is sent part by part. */
  sending?: string;
}

export const placeText = ({ round, attempt, phase }: Place): string =>
  `${round}/${attempt}/${phase}`;

/** Sends a task once over this connection. A broken connection is noticed by its reader. */
export function ask(
  session: Session,
  place: Place,
  taskOf: (site: string) => Task,
  remainingMs: number,
): void {
  const text = placeText(place);
  if (session.asked === text) return;
  session.asked = text;
  const task = taskOf(session.key);
  const { payload } = task;
  if (payload !== undefined && !(payload instanceof Uint8Array)) session.sending = payload.digest;
  const message = {
    kind: 'task',
    place,
    remainingMs: Math.max(0, Math.round(remainingMs)),
  } as const;
  session.channel.send({ ...message, fields: task.fields }, payload).catch(() => {});
}

/** The phase of the last task has ended: a site that fetches its payload would keep what that is made of. */
export function withdraw(session: Session): void {
  if (session.sending !== undefined) session.channel.withdraw(session.sending);
  delete session.sending;
}

export function statusOf({ state }: Pick<RunRecord, 'state'>): MessageOf<'status'> {
  const { status, round, reason } = state;
  return { kind: 'status', status, round, ...(reason === undefined ? {} : { reason }) };
}

/** Sends a message that may be lost with its connection. */
export function notify(session: Session, message: Parameters<Channel['send']>[0]): void {
  session.channel.send(message).catch(() => {});
}

export type Answer = Omit<AnswerRecord, 'payload'>;

/** @param payload its digest. @throws SkeinError IDENTITY_UNPROVEN. */
export async function requireSigned(
  { place, fields, site, signature }: Answer,
  payload: string | undefined,
  { id: run, planDigest: plan }: Pick<RunRecord, 'id' | 'planDigest'>,
): Promise<void> {
  const signed: SignedAnswer = { run, plan, place, fields, payload };
  if (await isSignedBy(site, 'answer', signed, signature)) return;
  throw new SkeinError(
    'IDENTITY_UNPROVEN',
    'The signature of an answer is not of this site and place.',
  );
}
