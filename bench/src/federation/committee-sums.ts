/** Protocol B: what a helper, the leader and a client compute in one round of 1,000 clients. */
import { randomBytes } from 'node:crypto';
import {
  Helper,
  helperKeys,
  LeaderRound,
  sealUpdate,
  signerOf,
  type Bytes,
  type CommitteeContext,
} from '@skein/train/secure-aggregation';
import type { RowGroup, RowOptions } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { addTo, assertSum, input, participants } from './participants.ts';

const LENGTH = 100_000;
const CLIENTS = 1000;

export const COMMITTEE_SUMS: RowGroup = {
  measures: [
    {
      key: 'oneshot_helper_s',
      what: 'protocol B, helper, 1,000 × 100,000',
      unit: ' s',
      target: { atMost: 0.8 },
    },
    {
      key: 'oneshot_client_ms',
      what: 'protocol B, client, 100,000 entries: p50',
      unit: ' ms',
      target: { atMost: 5 },
    },
  ],
  async measure({ progress }: RowOptions) {
    progress(`protocol B, ${CLIENTS} clients`);
    const { signers, context: terms } = await participants(CLIENTS, LENGTH);
    const leader = await signerOf();
    const committee = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const signer = await signerOf();
        const secret = new Uint8Array(randomBytes(32));
        return { signer, secret, keys: await helperKeys(signer, secret) };
      }),
    );
    const context: CommitteeContext = {
      ...terms,
      leader: leader.publicKey,
      helpers: committee.map(({ keys }) => keys),
      minimum: CLIENTS,
    };
    const round = await LeaderRound.begin(context, leader);
    /** The files, as a coordinator stores them. */
    const updates: (readonly Bytes[])[] = [];
    const masks: (readonly Bytes[])[] = [];
    const clientMs: number[] = [];
    let leaderMs = 0;
    const atLeader = async <T>(call: () => Promise<T>): Promise<T> => {
      const begun = performance.now();
      const result = await call();
      leaderMs += performance.now() - begun;
      return result;
    };
    // The plain sum, without a thousand inputs in memory.
    const plain = new Uint32Array(LENGTH);
    for (const [client, signer] of signers.entries()) {
      const update = input(LENGTH);
      addTo(plain, update);
      const begun = performance.now();
      const { head, chunks } = await sealUpdate(context, signer, update, { after: -1 });
      clientMs.push(performance.now() - begun);
      await atLeader(() => round.accept(client, head));
      await atLeader(() => round.acceptUpdate(client, (chunk) => chunks[chunk]!));
      updates.push(chunks);
    }
    const list = await atLeader(() => round.close());
    const helperS: number[] = [];
    for (const [number, { signer, secret }] of committee.entries()) {
      const helper = new Helper(signer, secret, { after: -1 });
      const begun = performance.now();
      const { head, chunks } = await helper.answer(context, list, new Uint32Array(LENGTH));
      helperS.push((performance.now() - begun) / 1000);
      await atLeader(() => round.acceptMasks(number, head));
      await atLeader(() => round.acceptSummedMasks(number, (chunk) => chunks[chunk]!));
      masks.push(chunks);
    }
    const sum = await atLeader(async () => {
      const made = await round.sum({
        update: (client, chunk) => updates[client]![chunk]!,
        masks: (helper, chunk) => masks[helper]![chunk]!,
      });
      return made.sum.read(0, LENGTH);
    });
    assertSum(sum, plain);
    return {
      results: { oneshot_helper_s: median(helperS), oneshot_client_ms: median(clientMs) },
      details: { committee: { helperS, leaderS: leaderMs / 1000 } },
    };
  },
};
