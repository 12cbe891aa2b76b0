/** Sites that answer every task with an update of their own, without any training. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createIdentity, encodingOf, invitationOf, join, memoryChunks } from '@skein/federation';
import { type Arrival, type MessageOf, openChannel, type Plan, sumNumber } from '@skein/federation';
import { openSocket } from '@skein/federation/site/node';
import { encodeUpdate, residueBits, residueCount } from '@skein/train/federated';
import { joined, SiteRound } from '@skein/train/secure-aggregation';
import type { AggregationContext, Bytes, Signer } from '@skein/train/secure-aggregation';
import type { Kind } from './coordinator-process.ts';

type Fields = MessageOf<'answer'>['fields'];
/** The change of each parameter by each site: the round adds exactly this, or its sum is garbled. */
export const GAIN = 0.5;

interface Asked {
  readonly plan: Plan;
  readonly planDigest: string;
  readonly run: string;
  readonly signer: Signer;
  readonly task: MessageOf<'task'>;
  readonly payload: Arrival['payload'];
}
interface Given {
  readonly fields: Fields;
  readonly payload: Bytes;
  /** The model that the coordinator sent, if any. */
  readonly from?: Bytes;
}

const ANSWERS: Readonly<Record<Kind, () => (asked: Asked) => Promise<Given>>> = {
  none:
    () =>
    async ({ payload }) => {
      const numbers = new Float32Array(payload!.bytes / 4).fill(GAIN);
      const update = new Uint8Array(numbers.buffer);
      // No two payloads may be one artifact.
      crypto.getRandomValues(update.subarray(0, 2));
      return { fields: { weight: 1 }, payload: update, from: await payload!.read() };
    },
  pairwise: masked,
};

/** All sites are in one process: who has verified a roster has done so for all. */
const rosters = new Map();

/** One site masks at a time, and the sockets are read in between: the coordinator gives up sites that answer no ping. */
let masking: Promise<unknown> = Promise.resolve();
function inTurn<T>(mask: () => Promise<T>): Promise<T> {
  const masked = masking.then(() => nextTurn()).then(mask);
  masking = masked.catch(() => {});
  return masked;
}

function masked(): (asked: Asked) => Promise<Given> {
  let context: AggregationContext | undefined;
  let round: SiteRound | undefined;
  return async ({ plan, planDigest, run, signer, task, payload }) => {
    const { place, fields } = task;
    const bytes = (await payload?.read()) ?? new Uint8Array(0);
    const encoding = encodingOf(plan, plan.model.parameters);
    const one = async (message: Promise<Bytes>) => ({ fields: {}, payload: await message });
    switch (place.phase) {
      case 'keys': {
        const roster = (fields['roster'] as string[]).map((key) => fromHex(key));
        const shape = { length: residueCount(encoding), bits: residueBits(encoding) };
        const { round: number, attempt } = place;
        context = {
          run,
          round: sumNumber(number, attempt),
          plan: fromHex(planDigest),
          roster,
          fewest: plan.sites.threshold,
          ...shape,
        };
        round = await SiteRound.begin(context, signer, { after: -1, rosters });
        return one(round.advertise());
      }
      case 'shares':
        return one(round!.share(bytes));
      case 'input': {
        const numbers = new Float32Array(plan.model.parameters).fill(GAIN);
        const end = bytes.length - (fields['delivery'] as number);
        const input = encodeUpdate({ numbers, weight: 1 }, encoding);
        // Masks are bound to what the site trains from, which is known now.
        const from = bytes.slice(0, end);
        const base = new Uint8Array(await crypto.subtle.digest('SHA-256', from));
        const bound = await SiteRound.restore({ ...context!, base }, signer, round!.save());
        round = bound;
        const { head, chunks } = await inTurn(() => bound.mask(input, bytes.slice(end)));
        const parts = [head, ...chunks];
        const lengths = parts.map(({ length }) => length);
        return { fields: { lengths }, payload: joined(parts), from };
      }
      case 'consistency':
        return one(round!.sign(bytes));
      default:
        return one(round!.unmask(bytes));
    }
  };
}

/** Joins, and answers every task. @param trained gets the model that the site was sent. */
export async function takePart(
  url: string,
  text: string,
  kind: Kind,
  trained: (from: Bytes) => void = () => {},
): Promise<void> {
  const identity = await createIdentity();
  const invitation = invitationOf(text);
  const { run } = invitation;
  const channel = openChannel(await openSocket(url), memoryChunks(2 ** 26));
  const { plan, planDigest } = await join(channel, { identity, invitation, accept() {} });
  const publicKey = fromHex(identity.key);
  const signer: Signer = { publicKey, sign: (message) => identity.signBytes(message) };
  const answer = ANSWERS[kind]();
  void (async () => {
    for (let next = await channel.receive(); next; next = await channel.receive()) {
      const { message, payload: given } = next;
      if (message.kind !== 'task') continue;
      const { place } = message;
      const asked = { plan, planDigest, run, signer, task: message, payload: given };
      const { fields, payload, from } = await answer(asked);
      if (from !== undefined) trained(from);
      const digest = Buffer.from(await crypto.subtle.digest('SHA-256', payload)).toString('hex');
      const signed = { run, plan: planDigest, place, fields, payload: digest };
      const signature = await identity.sign('answer', signed);
      await channel.send({ kind: 'answer', place, fields, signature }, payload);
    }
  })().catch(() => {});
}

const fromHex = (hex: string): Bytes => new Uint8Array(Buffer.from(hex, 'hex'));
