/**
 * The sum of masked updates by protocol A of `@skein/train/secure-aggregation`: the coordinator
 * learns the sum and no update. Its phases are the exchanges of the protocol:
 *
 *   keys         fields: roster, length, bits, number       → the site's public keys
 *   shares       payload: the keys of all                   → shares of its secrets
 *   input        payload: what to train from, then shares for it (`delivery` bytes)
 *                                                           → `lengths` of head and chunks of its update
 *   consistency  payload: the survivors                     → its signature of them
 *   unmasking    payload: all signatures                    → shares that unmask the sum
 *
 * Updates are on the disk, where their digests are checked when they are whole: a site that leaves in the
 * middle of one has nothing in the sum. The sum is made part by part, when the next state is.
 */
import { residueBits, residueCount, sumReader } from '@skein/train/federated';
import {
  EXCHANGES,
  ServerRound,
  type Deliveries,
  type Exchange,
} from '@skein/train/secure-aggregation';
import { fromHex } from '@skein/api/canonical';
import { drawOf, encodingOf, sumNumber } from '../../plan/encoding.ts';
import { type Part, partReader, partsAt, requireChunks } from '../../transport/parts.ts';
import { contentMadeBy, hashOf, joinedContent, payloadWith } from '../storage/content.ts';
import { usedNative } from '../storage/garbage.ts';
import type { Aggregator, AttemptContext } from './aggregator.ts';
import { requireAnswers } from './threshold.ts';
import { answerInvalid } from '../../transport/chunks.ts';

/** Bytes that the check and the use of a share keep until they are collected. */
const SHARE_BYTES = 512;

export async function openPairwise(context: AttemptContext): Promise<Aggregator> {
  const { run, plan, planDigest, round, attempt, roster, broadcast, payloadOf } = context;
  const encoding = encodingOf(plan, plan.model.parameters);
  const [length, bits] = [residueCount(encoding), residueBits(encoding)];
  const number = sumNumber(round, attempt);
  const server = await ServerRound.begin({
    run,
    round: number,
    plan: fromHex(planDigest),
    base: fromHex(broadcast.digest),
    roster: roster.map(fromHex),
    fewest: plan.sites.threshold,
    length,
    bits,
  });
  let exchange: Exchange = 'keys';
  /** Messages that the last exchange gave to each site that is still in the round. */
  let delivered: Deliveries = { sites: [...roster.keys()], get: () => new Uint8Array(0) };
  const place = (site: string): number => roster.indexOf(site);
  const needed = plan.sites.threshold;
  let answered = 0;
  const broadcastHash = await hashOf(broadcast);
  const read = partReader();
  /** Where the chunks of each update are stored. */
  const updates = new Map<number, { readonly digest: string; readonly chunks: readonly Part[] }>();

  const liars = (): readonly string[] => [
    ...new Set(server.liars.map(({ site }) => roster[site]!)),
  ];

  return {
    expected: () => delivered.sites.map((site) => roster[site]!),
    needed: () => needed,
    enough: () => Infinity,
    task(site) {
      const [deliveries, to] = [delivered, place(site)];
      if (exchange === 'keys') return { fields: { roster: [...roster], length, bits, number } };
      const message = deliveries.get(to)!;
      if (exchange !== 'input') return { fields: {}, payload: message };
      const digest = broadcastHash.copy().update(message).digest('hex');
      // The messages for all sites are as long as all messages of shares, which are in memory already.
      const delivery = contentMadeBy(message.length, () => deliveries.get(to)!);
      const payload = payloadWith(joinedContent([broadcast, delivery]), digest);
      return { fields: { delivery: delivery.bytes }, payload };
    },
    async accept({ site, fields }, payload) {
      if (payload === undefined) throw answerInvalid('The answer has no payload.');
      if (exchange !== 'input') {
        await server.accept(exchange, place(site), await payload.read());
        answered += 1;
        return;
      }
      const [head, ...chunks] = partsAt(payload.bytes, fields['lengths']);
      const number = place(site);
      await server.accept(exchange, number, await read(payload, head!));
      requireChunks(chunks.length, server.chunks);
      await server.acceptUpdate(number, (chunk) => read(payload, chunks[chunk]!));
      updates.set(number, { digest: payload.digest, chunks });
      answered += 1;
    },
    async close() {
      requireAnswers(exchange, answered, needed);
      answered = 0;
      if (exchange === 'unmasking') return [];
      delivered = await server.close();
      exchange = EXCHANGES[EXCHANGES.indexOf(exchange) + 1]!;
      return [];
    },
    suspects: liars,
    liars,
    async sum() {
      const readUpdate = async (site: number, chunk: number) => {
        const { digest, chunks } = updates.get(site)!;
        return read(await payloadOf(digest), chunks[chunk]!);
      };
      const { sum, survivors } = await server.sum(readUpdate);
      usedNative(SHARE_BYTES * roster.length ** 2);
      const draw = drawOf(planDigest, context);
      const decoded = await sumReader(sum, encoding, survivors.length, draw);
      return { ...decoded, survivors: survivors.map((site) => roster[site]!) };
    },
  };
}
