/** Fetches the model of a plan, and keeps the newest messages before it. */
import { SkeinError } from '@skein/api/errors';
import type { Joined } from '../identity/handshake.ts';
import type { Arrival, Channel } from '../transport/channel.ts';
import { protocolError } from '../transport/messages.ts';

/** Most entries of the ledger that wait for the model. */
const MOST_ENTRIES = 32;

/** Messages before the model, in their order; what is too old is dropped, so that no coordinator fills the memory. */
export interface EarlyMessages {
  add(arrival: Arrival): void;
  /** The next one, if there is one. */
  shift(): Arrival | undefined;
}

/** A task or a status replaces the one before. A site signs the entries that it has seen, and need not see each. */
export function earlyMessages(): EarlyMessages {
  let kept: Arrival[] = [];
  return {
    add(arrival) {
      const { kind } = arrival.message;
      const most = kind === 'entry' ? MOST_ENTRIES : 1;
      const alike = kept.filter(({ message }) => message.kind === kind);
      const old = new Set(alike.slice(0, Math.max(0, alike.length + 1 - most)));
      kept = [...kept.filter((each) => !old.has(each)), arrival];
    },
    shift: () => kept.shift(),
  };
}

/** @param early gets what else arrives meanwhile. */
export async function fetchModel(
  channel: Channel,
  { plan }: Joined,
  early: EarlyMessages,
): Promise<Uint8Array<ArrayBuffer>> {
  const { digest } = plan.model;
  await channel.send({ kind: 'fetch', digest });
  for (;;) {
    const arrival = await channel.receive();
    if (arrival === undefined) {
      throw protocolError('The connection ended before the model came.');
    }
    if (arrival.message.kind !== 'content') early.add(arrival);
    else if (arrival.payload?.digest === digest) return arrival.payload.read();
    else throw new SkeinError('PLAN_CHANGED', 'The model that came is not the one of the plan.');
  }
}
