/** Protocol B: the sum is the plain sum, clients may vanish, and what a leader must not learn is refused. */
import { beforeAll, describe, expect, it } from 'vitest';
import { signerOf } from '../crypto/identity.ts';
import { randomBytes, type Bytes, type Signer } from '../crypto/suite.ts';
import {
  federation,
  plainSum,
  randomInput,
  readStored,
  type Stored,
  wholeSum,
} from '../testing/rounds.ts';
import type { MaskedUpdate } from '../upload.ts';
import { signEnvelope } from '../wire/envelope.ts';
import { sealUpdate } from './client.ts';
import { committeeDigest, type CommitteeContext } from './context.ts';
import { Helper } from './helper.ts';
import { LeaderRound } from './leader.ts';
import { readClients, writeClients } from './messages.ts';
import { helperKeys } from './seeds.ts';

const CLIENTS = 6;
const code = (name: string) => ({ code: `AGGREGATION_${name}` });
const bodyOf = (message: Bytes): Bytes => message.slice(36, -64);

let signers: readonly Signer[];
let leader: Signer;
let context: CommitteeContext;
let committee: { readonly signer: Signer; readonly secret: Bytes }[];
let inputs: Uint32Array[];
let noise: Uint32Array;
let none: Uint32Array;

beforeAll(async () => {
  const parts = await federation(CLIENTS, { length: 2 ** 16 + 33, bits: 21 });
  signers = parts.signers;
  leader = await signerOf();
  committee = [];
  for (let at = 0; at < 3; at++)
    committee.push({ signer: await signerOf(), secret: randomBytes(32) });
  const helpers = await Promise.all(
    committee.map(({ signer, secret }) => helperKeys(signer, secret)),
  );
  context = { ...parts.context, leader: leader.publicKey, helpers, minimum: 4 };
  inputs = signers.map(() => randomInput(context));
  // A signed noise around zero, modulo 2^bits.
  noise = randomInput({ ...context, bits: 3 }).map((entry) => (entry - 4) & (2 ** 21 - 1));
  none = new Uint32Array(context.length);
});

const helperAt = (at: number, after = -1) =>
  new Helper(committee[at]!.signer, committee[at]!.secret, { after });
const update = (client: number) =>
  sealUpdate(context, signers[client]!, inputs[client]!, { after: -1 });

/** Messages that the rounds of a test accepted. */
const stored: { readonly update: Stored; readonly masks: Stored } = {
  update: new Map(),
  masks: new Map(),
};

async function send(round: LeaderRound, client: number, update: MaskedUpdate) {
  await round.accept(client, update.head);
  await round.acceptUpdate(client, (chunk) => update.chunks[chunk]!);
  stored.update.set(client, update);
}

async function sendMasks(round: LeaderRound, helper: number, masks: MaskedUpdate) {
  await round.acceptMasks(helper, masks.head);
  await round.acceptSummedMasks(helper, (chunk) => masks.chunks[chunk]!);
  stored.masks.set(helper, masks);
}

const sumOf = (round: LeaderRound) =>
  round.sum({ update: readStored(stored.update), masks: readStored(stored.masks) });

/** A round whose list is closed. */
async function collected(clients: readonly number[] = [...inputs.keys()]) {
  const round = await LeaderRound.begin(context, leader);
  for (const client of clients) await send(round, client, await update(client));
  return { round, list: await round.close() };
}

it('sums the clients that sent all of their message, with the noise of every helper', async () => {
  const round = await LeaderRound.begin(context, leader);
  for (const client of [0, 1, 2, 4]) await send(round, client, await update(client));
  // One vanishes in the middle of its message; one was never there.
  const { head, chunks } = await update(5);
  await round.accept(5, head);
  const cut = round.acceptUpdate(5, (chunk) =>
    chunks[chunk]!.subarray(0, chunk === 0 ? undefined : 5),
  );
  await expect(cut).rejects.toMatchObject(code('CHUNK_INVALID'));
  expect(round.clients).toEqual([0, 1, 2, 4]);
  const list = await round.close();
  for (const at of [0, 1, 2])
    await sendMasks(round, at, await helperAt(at).answer(context, list, noise));
  const { sum, clients } = await sumOf(round);
  expect(clients).toEqual([0, 1, 2, 4]);
  const noisy = plainSum([...inputs, noise], [0, 1, 2, 4, 6, 6, 6], 21);
  expect(await wholeSum(sum)).toEqual(noisy);
});

it('gives nothing away where a helper is lost, or answers another list', async () => {
  const { round, list } = await collected();
  const other = await collected([0, 1, 2, 3]);
  await sendMasks(round, 0, await helperAt(0).answer(context, list, none));
  const wrong = await helperAt(1).answer(context, other.list, none);
  await expect(round.acceptMasks(1, wrong.head)).rejects.toMatchObject(code('SURVIVORS_SPLIT'));
  await sendMasks(round, 1, await helperAt(1).answer(context, list, none));
  await expect(sumOf(round)).rejects.toMatchObject(code('HELPER_LOST'));
});

describe('a helper', () => {
  it('answers a round once, whatever the list', async () => {
    const { list } = await collected();
    const { list: fewer } = await collected([0, 1, 2, 3]);
    const helper = helperAt(0);
    const both = await Promise.allSettled([
      helper.answer(context, list, none),
      helper.answer(context, fewer, none),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(helper.after).toBe(0);
    const restarted = helperAt(0, helper.after);
    await expect(restarted.answer(context, fewer, none)).rejects.toMatchObject(
      code('PHASE_ANSWERED'),
    );
  });

  it.each([
    ['of a single client', (heads: Bytes[]) => heads.slice(0, 1), 'TOO_FEW'],
    ['below the minimum', (heads: Bytes[]) => heads.slice(0, 3), 'TOO_FEW'],
    ['with a client twice', (heads: Bytes[]) => [...heads, heads[0]!], 'ROSTER_FORGED'],
    [
      'with a changed head',
      ([first, ...others]: Bytes[]) => [
        first!.map((byte, at) => (at === 50 ? byte ^ 1 : byte)),
        ...others,
      ],
      'SIGNATURE_INVALID',
    ],
  ])('refuses a list %s', async (_, change, name) => {
    const { list } = await collected();
    const body = writeClients(change(readClients(bodyOf(list), context)));
    const digest = await committeeDigest(context);
    const changed = await signEnvelope({ digest, phase: 'clients', sender: 0, body }, leader);
    await expect(helperAt(0).answer(context, changed, none)).rejects.toMatchObject(code(name));
  });

  it('refuses a list of another leader, and of a swapped plan', async () => {
    const { list } = await collected();
    const digest = await committeeDigest(context);
    const stranger = await signerOf();
    const forged = await signEnvelope(
      { digest, phase: 'clients', sender: 0, body: bodyOf(list) },
      stranger,
    );
    await expect(helperAt(0).answer(context, forged, none)).rejects.toMatchObject(
      code('SIGNATURE_INVALID'),
    );
    const swapped = { ...context, plan: randomBytes(32) };
    await expect(helperAt(0).answer(swapped, list, none)).rejects.toMatchObject(
      code('CONTEXT_OTHER'),
    );
    const easier = { ...context, minimum: 2 };
    await expect(helperAt(0).answer(easier, list, none)).rejects.toMatchObject(
      code('CONTEXT_OTHER'),
    );
  });

  it('finds every seed to open where all clients are honest, and may still answer after that', async () => {
    const { list } = await collected();
    const helper = helperAt(0);
    expect(await helper.check(context, list)).toEqual([]);
    const unsigned = list.map((byte, at) => (at === list.length - 1 ? byte ^ 1 : byte));
    await expect(helper.check(context, unsigned)).rejects.toMatchObject(code('SIGNATURE_INVALID'));
    await expect(helper.answer(context, list, none)).resolves.toBeDefined();
  });

  it('names a client whose seed does not open', async () => {
    const round = await LeaderRound.begin(context, leader);
    for (const client of [0, 1, 2]) await send(round, client, await update(client));
    const { head, chunks } = await update(3);
    const body = bodyOf(head);
    body[40]! ^= 1;
    const digest = await committeeDigest(context);
    const bad = await signEnvelope({ digest, phase: 'sealedInput', sender: 3, body }, signers[3]!);
    await send(round, 3, { head: bad, chunks });
    const list = await round.close();
    const helper = helperAt(0);
    expect(await helper.check(context, list)).toEqual([3]);
    const answer = helper.answer(context, list, none);
    await expect(answer).rejects.toMatchObject(code('SHARE_BAD'));
    await expect(answer).rejects.toThrow(/client 3/);
  });
});

describe('the leader', () => {
  it('refuses a second update of a client, and one sealed for another round', async () => {
    const round = await LeaderRound.begin(context, leader);
    const first = await update(0);
    await send(round, 0, first);
    await send(round, 0, first);
    await expect(round.accept(0, (await update(0)).head)).rejects.toMatchObject(
      code('ANSWERED_TWICE'),
    );
    await expect(round.accept(1, first.head)).rejects.toMatchObject(code('SIGNATURE_INVALID'));
    const later = { ...context, round: 1 };
    const { head } = await sealUpdate(later, signers[1]!, inputs[1]!, { after: 0 });
    await expect(round.accept(1, head)).rejects.toMatchObject(code('CONTEXT_OTHER'));
    await expect(round.close()).rejects.toMatchObject(code('TOO_FEW'));
  });
});

it('has a client seal an update once in a round', async () => {
  const again = sealUpdate(context, signers[0]!, inputs[0]!, { after: 0 });
  await expect(again).rejects.toMatchObject(code('PHASE_ANSWERED'));
});

it('sends random words: two seals of one update have no word in common at a place', async () => {
  const [first, second] = await Promise.all([update(0), update(0)]);
  const same = first.chunks[0]!.filter((byte, at) => byte === second.chunks[0]![at]).length;
  // One byte of 256 by chance.
  expect(same / first.chunks[0]!.length).toBeLessThan(1 / 200);
});
