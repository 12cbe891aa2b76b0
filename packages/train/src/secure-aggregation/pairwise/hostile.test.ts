/** A hostile server, network or site: each attack on protocol A is refused, with its code. */
import { expect, it } from 'vitest';
import { randomBytes, type Bytes } from '../crypto/suite.ts';
import {
  answerOf,
  deliver,
  federation,
  plainSum,
  runUntil,
  stage,
  sumOf,
} from '../testing/rounds.ts';
import { signEnvelope } from '../wire/envelope.ts';
import { contextDigest } from '../context.ts';
import { signerOf } from '../crypto/identity.ts';
import {
  readConfirmation,
  readDelivery,
  readReveals,
  readRoster,
  readShares,
  writeConfirmation,
  writeDelivery,
  writeReveals,
  writeRoster,
  writeShares,
  writeSites,
} from './messages.ts';
import { ServerRound } from './server.ts';
import { SiteRound } from './site.ts';

const SITES = 4;
const code = (name: string) => ({ code: `AGGREGATION_${name}` });
const bodyOf = (message: Bytes): Bytes => message.slice(36, -64);

async function begun(
  until: Parameters<typeof runUntil>[1],
  drops?: Parameters<typeof runUntil>[2],
) {
  const parts = await federation(SITES);
  const at = await stage(parts);
  await runUntil(at, until, drops);
  return { ...parts, at, digest: await contextDigest(parts.context) };
}

it('refuses a roster with keys that no agreed site signed', async () => {
  const { at, digest } = await begun('shares');
  const messages = readRoster(at.answers.get(0)!);
  const stranger = await signerOf();
  const forged = await signEnvelope(
    { digest, phase: 'keys', sender: 2, body: randomBytes(64) },
    stranger,
  );
  const roster = writeRoster([...messages.slice(0, 2), forged, messages[3]!]);
  await expect(at.sites[0]!.share(roster)).rejects.toMatchObject(code('ROSTER_FORGED'));
});

it('refuses a sum of fewer survivors than share its noise, though they are a quorum', async () => {
  const parts = await federation(6, { fewest: 6 });
  const server = await ServerRound.begin({ ...parts.context, fewest: 0 });
  const at = { ...(await stage(parts)), server };
  await runUntil(at, 'consistency', new Map([[5, 'input']]));
  await expect(answerOf(at, 'consistency', 0)).rejects.toMatchObject(code('TOO_FEW'));
});

it.each([
  ['a site twice', (all: Bytes[]) => [all[0]!, all[1]!, all[2]!, all[2]!], 'ROSTER_FORGED'],
  ['without the site itself', (all: Bytes[]) => all.slice(1), 'ROSTER_FORGED'],
  ['of too few sites', (all: Bytes[]) => all.slice(0, 2), 'TOO_FEW'],
  ['of a single site', (all: Bytes[]) => all.slice(0, 1), 'TOO_FEW'],
])('refuses a roster %s', async (_, change, name) => {
  const { at } = await begun('shares');
  const roster = writeRoster(change(readRoster(at.answers.get(0)!)));
  await expect(at.sites[0]!.share(roster)).rejects.toMatchObject(code(name));
});

it('refuses a roster in which two sites have one key', async () => {
  const { at, signers, digest } = await begun('shares');
  const messages = readRoster(at.answers.get(0)!);
  const body = bodyOf(messages[1]!);
  const copied = await signEnvelope({ digest, phase: 'keys', sender: 2, body }, signers[2]!);
  const roster = writeRoster([messages[0]!, messages[1]!, copied, messages[3]!]);
  await expect(at.sites[0]!.share(roster)).rejects.toMatchObject(code('ROSTER_FORGED'));
});

it('refuses messages of a swapped plan and of a replayed round', async () => {
  const { at, context, signers } = await begun('shares');
  for (const other of [
    { ...context, plan: randomBytes(32) },
    { ...context, round: 1 },
    { ...context, run: 'lungs' },
  ]) {
    const site = await SiteRound.begin(other, signers[0]!, { after: -1 });
    const message = await site.advertise();
    await expect(site.share(at.answers.get(0)!)).rejects.toMatchObject(code('CONTEXT_OTHER'));
    const server = await ServerRound.begin(context);
    await expect(server.accept('keys', 0, message)).rejects.toMatchObject(code('CONTEXT_OTHER'));
  }
  const again = SiteRound.begin(context, signers[0]!, { after: context.round });
  await expect(again).rejects.toMatchObject(code('PHASE_ANSWERED'));
});

it('refuses shares that the server exchanged, changed or withheld', async () => {
  const { at } = await begun('input');
  const { sharing, entries } = readDelivery(at.answers.get(0)!, SITES);
  const [first, second, third] = entries;
  const changed: readonly (readonly [readonly number[], typeof entries])[] = [
    [
      [2, 3],
      [first!, { ...second!, peer: third!.peer }, { ...third!, peer: second!.peer }],
    ],
    [
      [3],
      [
        first!,
        second!,
        { ...third!, sealed: third!.sealed.map((byte, at) => (at === 7 ? byte ^ 1 : byte)) },
      ],
    ],
    [
      [3],
      [
        first!,
        second!,
        { ...third!, commitments: [randomBytes(16), third!.commitments[1]] as const },
      ],
    ],
    [[3], [first!, second!]],
  ];
  const saved = at.sites[0]!.save();
  for (const [accused, each] of changed) {
    const { context, signers } = at;
    const site = await SiteRound.restore(context, signers[0]!, saved);
    const delivery = writeDelivery({ sharing, entries: each }, SITES);
    await expect(site.mask(at.inputs[0]!, delivery)).rejects.toMatchObject(code('SHARE_BAD'));
    expect(site.accused).toEqual(accused);
  }
});

it('refuses, on a ring, a list of sharing sites without its neighbours: only its own mask would hide it', async () => {
  const at = await stage(await federation(100, { corrupt: 1 / 20 }));
  await runUntil(at, 'input');
  const { entries } = readDelivery(at.answers.get(0)!, 100);
  const neighbours = new Set(entries.map(({ peer }) => peer));
  expect(neighbours.size).toBeLessThan(99);
  const others = at.sites.map(({ site }) => site).filter((site) => !neighbours.has(site));
  const quorum = Math.floor(200 / 3) + 1;
  expect(others.length).toBeGreaterThanOrEqual(quorum);
  const delivery = writeDelivery({ sharing: new Set(others), entries: [] }, 100);
  await expect(at.sites[0]!.mask(at.inputs[0]!, delivery)).rejects.toMatchObject(
    code('SURVIVORS_SPLIT'),
  );
});

it.each([
  ['that omits the site', [1, 2, 3], 'SURVIVORS_SPLIT'],
  ['below the threshold', [0, 1], 'TOO_FEW'],
  ['of one site', [0], 'TOO_FEW'],
  ['with a site that shared nothing', [0, 1, 2, 3], 'SURVIVORS_SPLIT'],
])('refuses a list of survivors %s', async (_, list, name) => {
  const { at } = await begun('consistency', new Map([[3, 'shares']]));
  await expect(at.sites[0]!.sign(writeSites(list, SITES))).rejects.toMatchObject(code(name));
});

it('refuses a split view of the survivors', async () => {
  const { at } = await begun('consistency');
  const lists = [
    [0, 1, 2],
    [0, 1, 2, 3],
    [0, 1, 2],
    [0, 1, 2, 3],
  ].map((list) => writeSites(list, SITES));
  const messages = await Promise.all(at.sites.map((site, number) => site.sign(lists[number]!)));
  for (const site of at.sites) {
    const confirmation = writeConfirmation({ survivors: lists[site.site]!, messages });
    await expect(site.unmask(confirmation)).rejects.toMatchObject(code('SURVIVORS_SPLIT'));
  }
});

it('reveals nothing for one signature less than the threshold', async () => {
  const { at } = await begun('unmasking');
  const { survivors, messages } = readConfirmation(at.answers.get(0)!, SITES);
  const stranger = await signerOf();
  const forged = [
    ...messages[3]!.slice(0, -64),
    ...(await stranger.sign(messages[3]!.slice(0, -64))),
  ];
  for (const few of [
    messages.slice(0, 2),
    [messages[0]!, messages[1]!, messages[1]!],
    [messages[0]!, messages[1]!, Uint8Array.from(forged)],
  ]) {
    const { context, signers } = at;
    const site = await SiteRound.restore(context, signers[0]!, at.sites[0]!.save());
    const confirmation = writeConfirmation({ survivors, messages: few });
    await expect(site.unmask(confirmation)).rejects.toMatchObject(code('TOO_FEW'));
  }
});

it('never reveals both secrets of one site', async () => {
  const { at } = await begun('unmasking');
  const { messages } = readConfirmation(at.answers.get(0)!, SITES);
  const fewer = writeSites([0, 1, 2], SITES);
  const [first, second] = at.sites;
  await expect(first!.sign(fewer)).rejects.toMatchObject(code('BOTH_SECRETS'));
  const other = writeConfirmation({ survivors: fewer, messages });
  await expect(first!.unmask(other)).rejects.toMatchObject(code('BOTH_SECRETS'));
  // Neither refusal keeps it from answering the list that all signed; no list is answered after it.
  await deliver(at, 'unmasking', 0, await first!.unmask(at.answers.get(0)!));
  await expect(first!.unmask(at.answers.get(0)!)).rejects.toMatchObject(code('PHASE_ANSWERED'));
  await expect(first!.unmask(other)).rejects.toMatchObject(code('BOTH_SECRETS'));
  const both = await Promise.allSettled([
    second!.unmask(at.answers.get(1)!),
    second!.unmask(at.answers.get(1)!),
  ]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
});

it('answers each exchange once, also after a restart', async () => {
  const { at, context, signers } = await begun('keys');
  for (const exchange of ['keys', 'shares', 'input', 'consistency', 'unmasking'] as const) {
    const stored = at.sites.map((site) => site.save());
    const messages = await Promise.all(at.sites.map(({ site }) => answerOf(at, exchange, site)));
    for (const { site } of at.sites) {
      await expect(answerOf(at, exchange, site)).rejects.toMatchObject(code('PHASE_ANSWERED'));
    }
    // A site that stops between storing and sending resumes from its stored state.
    for (const [number, signer] of signers.entries()) {
      const saved = at.sites[number]!.save();
      expect(saved).not.toBe(stored[number]);
      (at.sites as SiteRound[])[number] = await SiteRound.restore(context, signer, saved);
      await expect(answerOf(at, exchange, number)).rejects.toMatchObject(code('PHASE_ANSWERED'));
      await deliver(at, exchange, number, messages[number]!);
    }
    if (exchange !== 'unmasking') at.answers = await at.server.close();
  }
  const { sum, survivors } = await sumOf(at);
  expect(sum).toEqual(plainSum(at.inputs, survivors, context.bits));
  const other = { ...context, round: 1 };
  const saved = at.sites[0]!.save();
  await expect(SiteRound.restore(other, signers[0]!, saved)).rejects.toMatchObject(
    code('CONTEXT_OTHER'),
  );
  await expect(SiteRound.restore(context, signers[0]!, '{"due":"?"}')).rejects.toMatchObject(
    code('INVALID'),
  );
});

it('names a site that reveals a bad share, and sums without it', async () => {
  const { at, signers, digest, context } = await begun('unmasking', new Map([[2, 'input']]));
  // Threshold 3 of 4: with one site gone, every share of a survivor counts.
  const good = await answerOf(at, 'unmasking', 1);
  const reveals = new Map(readReveals(bodyOf(good as Bytes)));
  reveals.set(0, randomBytes(33));
  const bad = await signEnvelope(
    { digest, phase: 'unmasking', sender: 1, body: writeReveals(reveals) },
    signers[1]!,
  );
  await deliver(at, 'unmasking', 1, bad);
  for (const site of [0, 3])
    await deliver(at, 'unmasking', site, await answerOf(at, 'unmasking', site));
  const failed = sumOf(at);
  await expect(failed).rejects.toMatchObject(code('SHARE_BAD'));
  await expect(failed).rejects.toThrow(/sites? 1/);
  expect(at.server.liars).toEqual([{ site: 1, owner: 0 }]);
  expect(context.roster).toHaveLength(SITES);
});

it('sums from the other shares where one is bad', async () => {
  const { at, signers, digest } = await begun('unmasking');
  const reveals = new Map(readReveals(bodyOf((await answerOf(at, 'unmasking', 1)) as Bytes)));
  reveals.set(0, randomBytes(33));
  const body = writeReveals(reveals);
  await deliver(
    at,
    'unmasking',
    1,
    await signEnvelope({ digest, phase: 'unmasking', sender: 1, body }, signers[1]!),
  );
  for (const site of [0, 2, 3])
    await deliver(at, 'unmasking', site, await answerOf(at, 'unmasking', site));
  const { sum, liars, survivors } = await sumOf(at);
  expect(liars).toEqual([{ site: 1, owner: 0 }]);
  expect(sum).toEqual(plainSum(at.inputs, survivors, at.context.bits));
});

it('names a site that announced another seed than it shared', async () => {
  const { at, signers, digest } = await begun('shares');
  for (const site of [0, 1, 2])
    await deliver(at, 'shares', site, await answerOf(at, 'shares', site));
  const shares = readShares(bodyOf((await answerOf(at, 'shares', 3)) as Bytes));
  const body = writeShares({ ...shares, seedDigest: randomBytes(32) });
  await deliver(
    at,
    'shares',
    3,
    await signEnvelope({ digest, phase: 'shares', sender: 3, body }, signers[3]!),
  );
  at.answers = await at.server.close();
  await runUntil(at, 'sum');
  const failed = sumOf(at);
  await expect(failed).rejects.toMatchObject(code('SHARE_BAD'));
  await expect(failed).rejects.toThrow(/^Site 3/);
  expect(at.server.liars).toEqual([{ site: 3, owner: 3 }]);
});

it('refuses shares for other sites than the neighbours, or in another order', async () => {
  const { at, signers, digest } = await begun('shares');
  const shares = readShares(bodyOf((await answerOf(at, 'shares', 3)) as Bytes));
  const [first, second, third] = shares.entries;
  for (const entries of [
    [second!, first!, third!],
    [first!, second!],
    [first!, second!, { ...third!, peer: 3 }],
  ]) {
    const body = writeShares({ ...shares, entries });
    const message = await signEnvelope({ digest, phase: 'shares', sender: 3, body }, signers[3]!);
    await expect(at.server.accept('shares', 3, message)).rejects.toMatchObject(code('INVALID'));
  }
});

it('refuses a second update of a site, a changed chunk and a message of another', async () => {
  const { at, signers, digest } = await begun('input');
  const { head, chunks } = (await answerOf(at, 'input', 0)) as { head: Bytes; chunks: Bytes[] };
  await at.server.accept('input', 0, head);
  await at.server.accept('input', 0, head);
  const second = await signEnvelope(
    { digest, phase: 'input', sender: 0, body: randomBytes(32) },
    signers[0]!,
  );
  await expect(at.server.accept('input', 0, second)).rejects.toMatchObject(code('ANSWERED_TWICE'));
  await expect(at.server.accept('input', 1, head)).rejects.toMatchObject(code('SIGNATURE_INVALID'));
  const changed = chunks[0]!.slice();
  changed[0]! ^= 1;
  for (const wrong of [changed, chunks[0]!.slice(1)]) {
    const refused = at.server.acceptUpdate(0, () => wrong);
    await expect(refused).rejects.toMatchObject(code('CHUNK_INVALID'));
  }
  const early = at.server.acceptUpdate(1, (chunk) => chunks[chunk]!);
  await expect(early).rejects.toMatchObject(code('PHASE_ANSWERED'));
  await expect(at.server.accept('keys', 0, head)).rejects.toMatchObject(code('PHASE_ANSWERED'));
});

it('learns no update by sending one site other parameters than those from which the rest give zeros', async () => {
  const [base, other] = [randomBytes(32), randomBytes(32)];
  /** How many entries of the update of site 0 are in the sum as they are. */
  async function learnt(ofSite: (site: number) => Bytes, ofServer: Bytes): Promise<number> {
    const { context, signers } = await federation(SITES);
    const at = await stage({ signers, context: { ...context, base: ofServer } });
    const sites = await Promise.all(
      signers.map((signer, site) =>
        SiteRound.begin({ ...context, base: ofSite(site) }, signer, { after: -1 }),
      ),
    );
    const inputs = at.inputs.map((input, site) => (site === 0 ? input : input.map(() => 0)));
    await runUntil({ ...at, sites, inputs }, 'sum');
    const { sum } = await sumOf(at);
    return sum.filter((entry, i) => entry === inputs[0]![i]).length;
  }
  expect(await learnt(() => base, base)).toBe(70);
  for (const ofServer of [base, other]) {
    expect(await learnt((site) => (site === 0 ? other : base), ofServer)).toBeLessThan(5);
  }
});

it.each([
  ['one identity twice', (key: Bytes) => ({ roster: [key, key] }), 'ROSTER_FORGED'],
  ['a single site', (key: Bytes) => ({ roster: [key] }), 'INVALID'],
  ['33 bits', () => ({ bits: 33 }), 'INVALID'],
  ['no entries', () => ({ length: 0 }), 'INVALID'],
  ['a short digest', () => ({ plan: randomBytes(31) }), 'INVALID'],
  ['half of the sites corrupt', () => ({ corrupt: 0.5 }), 'INVALID'],
])('refuses terms with %s', async (_, change, name) => {
  const { context, signers } = await federation(3);
  const terms = { ...context, ...change(context.roster[0]!) };
  await expect(ServerRound.begin(terms)).rejects.toMatchObject(code(name));
  await expect(SiteRound.begin(terms, signers[0]!, { after: -1 })).rejects.toMatchObject(
    code(name),
  );
});

it('refuses an update of another length or with an entry that does not fit', async () => {
  for (const input of [new Uint32Array(69), new Uint32Array(70).fill(2 ** 20)]) {
    const { at } = await begun('input');
    const masked = at.sites[0]!.mask(input, at.answers.get(0)!);
    await expect(masked).rejects.toMatchObject(code('INVALID'));
  }
});
