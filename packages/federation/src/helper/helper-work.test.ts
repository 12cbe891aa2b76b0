/** A helper against a leader that wants more than one sum of enough sites. */
import { dirname, join } from 'node:path';
import { fromHex } from '@skein/api/canonical';
import {
  joined as joinedBytes,
  LeaderRound,
  sealUpdate,
  type CommitteeContext,
} from '@skein/train/secure-aggregation';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { Joined } from '../identity/handshake.ts';
import { createIdentity, identityOf, type Identity, signerOf } from '../identity/keys.ts';
import { committeeContext } from '../plan/committee-terms.ts';
import { completePlan } from '../plan/complete.ts';
import { encodingOf } from '../plan/encoding.ts';
import type { PlanDraft } from '../plan/plan.ts';
import { isBudgetSpent } from '../plan/spent.ts';
import type { PlannedHelper } from '../plan/terms.ts';
import { answerOnce, type Task } from '../site/answers.ts';
import { draft } from '../testing/plans.ts';
import {
  helperWork,
  keysOfHelper,
  lockHelper,
  openHelperMemory,
  type HelperMemory,
} from './index.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const RUN = 'f-1';
const SITES = 5;
/** sha-256 of what sites have trained from. */
const BASE = 'b'.repeat(64);
const code = (name: string) => expect.objectContaining({ code: name });

let leader: Identity;
let sites: Identity[];
let others: PlannedHelper[];

beforeAll(async () => {
  leader = await createIdentity();
  sites = await Promise.all(Array.from({ length: SITES }, () => createIdentity()));
  others = await Promise.all(
    ['Delft', 'Lyon'].map(async (name) => ({
      name,
      ...(await keysOfHelper(openHelperMemory(':memory:'))),
    })),
  );
});

const CLIENT = { mode: 'client', noise: 20, epsilon: 0.4, delta: 1e-3 } as const;
const OPEN: PlanDraft['privacy'] = { mode: 'none' };

async function helperOn(
  memory: HelperMemory,
  privacy: PlanDraft['privacy'] = CLIENT,
  more: { readonly repeatWithOthers?: true } = {},
) {
  const own = { name: 'Basel', ...(await keysOfHelper(memory)) };
  const plan = completePlan(
    draft({
      aggregation: { kind: 'committee', helpers: [own, ...others], ...more },
      privacy,
      sites: { minimum: 5, maximum: 5, threshold: 3 },
      rounds: 1000,
    }),
  );
  const planDigest = 'd'.repeat(64);
  const terms = { run: RUN, plan, planDigest, coordinator: leader.key };
  const joined: Joined = { ...terms, name: 'Basel', role: 'helper' };
  const encoding = encodingOf(plan, plan.model.parameters);
  const roster = sites.map(({ key }) => fromHex(key));
  const identity = await identityOf(await memory.identity());
  const work = await helperWork({ run: RUN, joined, memory });
  const answer = answerOnce({ ...terms, identity, memory, work });
  const contextAt = (round: number, attempt = 0, base = BASE): CommitteeContext =>
    committeeContext({ ...terms, encoding, base: fromHex(base) }, { round, attempt }, roster);

  /** The signed list of some sites, as an honest leader of a plan with a minimum would make it. */
  async function listOf(
    numbers: readonly number[],
    round = 0,
    minimum = 3,
    attempt = 0,
  ): Promise<Bytes> {
    const context = contextAt(round, attempt);
    const at = await LeaderRound.begin({ ...context, minimum }, signerOf(leader));
    const sealed = { ...context, minimum };
    for (const number of numbers) {
      const input = new Uint32Array(context.length);
      const update = await sealUpdate(sealed, signerOf(sites[number]!), input, { after: -1 });
      await at.accept(number, update.head);
      await at.acceptUpdate(number, (chunk) => update.chunks[chunk]!);
    }
    return at.close();
  }
  /** A list of sites. The last one was sent other parameters than the rest. */
  async function listOfDeceived(numbers: readonly number[]): Promise<Bytes> {
    const list = await listOf(numbers);
    const other = contextAt(0, 0, 'c'.repeat(64));
    const deceived = numbers.at(-1)!;
    const input = new Uint32Array(other.length);
    const { head } = await sealUpdate(other, signerOf(sites[deceived]!), input, { after: -1 });
    const signed = joinedBytes([list.slice(0, -64 - head.length), head]);
    return joinedBytes([signed, await leader.signBytes(signed)]);
  }
  return {
    plan,
    listOf,
    listOfDeceived,
    ask(phase: string, list: Bytes, round = 0, attempt = 0) {
      const payload = joinedBytes([...roster, list]);
      const place = { round, attempt, phase };
      return answer({ place, fields: { sites: SITES, base: BASE }, payload });
    },
    askWith: (fields: Task['fields'], list: Bytes) =>
      answer({
        place: { round: 0, attempt: 0, phase: 'masks' },
        fields,
        payload: joinedBytes([...roster, list]),
      }),
    /** With a shorter roster than the plan's threshold, or another count. */
    askOf: (count: number, list: Bytes) =>
      answer({
        place: { round: 0, attempt: 0, phase: 'masks' },
        fields: { sites: count, base: BASE },
        payload: joinedBytes([...roster.slice(0, count), list]),
      }),
  };
}

/** The first sites of a list of three, signed by the leader as an honest one never would. */
async function shortened(list: Bytes, count: number): Promise<Bytes> {
  const [before, signature] = [4 + 32, 64];
  const heads = list.slice(before + 4, -signature);
  const some = heads.slice(0, (heads.length / 3) * count);
  const signed = joinedBytes([list.slice(0, before), Uint8Array.of(count, 0, 0, 0), some]);
  return joinedBytes([signed, await leader.signBytes(signed)]);
}

async function inFolder(): Promise<string> {
  const folder = testFolder();
  return join(folder, 'helper.db');
}

describe('a helper', () => {
  it('gives the stored answer to every further list of a round, also after a restart', async () => {
    const path = await inFolder();
    const memory = openHelperMemory(path);
    const helper = await helperOn(memory);
    const [list, fewer] = [await helper.listOf([0, 1, 2, 3]), await helper.listOf([0, 1, 2])];
    const [first, second] = await Promise.all([
      helper.ask('masks', list),
      helper.ask('masks', fewer),
    ]);
    expect(second).toEqual(first);
    await memory.close();
    const again = openHelperMemory(path);
    expect(await (await helperOn(again)).ask('masks', fewer)).toEqual(first);
    await again.close();
  });

  it('refuses the sum of a single site, and of fewer than the plan asks for', async () => {
    const helper = await helperOn(openHelperMemory(':memory:'));
    const list = await helper.listOf([0, 1, 2]);
    for (const count of [1, 2]) {
      const fewer = await shortened(list, count);
      await expect(helper.ask('masks', fewer)).rejects.toEqual(code('AGGREGATION_TOO_FEW'));
    }
    // A list of another minimum is bound to other terms, also where the leader signs it.
    const easier = await helper.listOf([0, 1], 0, 2);
    await expect(helper.ask('masks', easier)).rejects.toEqual(code('AGGREGATION_CONTEXT_OTHER'));
    await expect(helper.askOf(2, list)).rejects.toEqual(code('FEDERATION_PROTOCOL'));
    await expect(helper.askOf(4, list)).rejects.toEqual(code('AGGREGATION_CONTEXT_OTHER'));
    // Nothing of that has spent the round.
    await expect(helper.ask('masks', list)).resolves.toBeDefined();
  });

  it('refuses a list of sites that were sent different parameters', async () => {
    const helper = await helperOn(openHelperMemory(':memory:'));
    const deceived = await helper.listOfDeceived([0, 1, 2]);
    for (const phase of ['seeds', 'masks']) {
      await expect(helper.ask(phase, deceived)).rejects.toEqual(code('AGGREGATION_CONTEXT_OTHER'));
    }
    const without = helper.askWith({ sites: SITES }, deceived);
    await expect(without).rejects.toEqual(code('FEDERATION_PROTOCOL'));
  });

  it('refuses a list with a wrong signature, and a list of another round', async () => {
    const helper = await helperOn(openHelperMemory(':memory:'));
    const list = await helper.listOf([0, 1, 2]);
    const unsigned = list.map((byte, at) => (at === list.length - 1 ? byte ^ 1 : byte));
    for (const phase of ['seeds', 'masks']) {
      await expect(helper.ask(phase, unsigned)).rejects.toEqual(
        code('AGGREGATION_SIGNATURE_INVALID'),
      );
      await expect(helper.ask(phase, list, 1)).rejects.toEqual(code('AGGREGATION_CONTEXT_OTHER'));
    }
    await expect(helper.ask('input', list)).rejects.toEqual(code('FEDERATION_PROTOCOL'));
  });

  it('gives no more sums than the privacy budget of the plan allows, by its own count', async () => {
    const helper = await helperOn(openHelperMemory(':memory:'));
    let sums = 0;
    let refusal: unknown;
    for (let round = 0; refusal === undefined; round++) {
      await helper
        .ask('masks', await helper.listOf([0, 1, 2], round), round)
        .then(() => (sums += 1))
        .catch((error: unknown) => (refusal = error));
    }
    expect(refusal).toEqual(code('PRIVACY_BUDGET_SPENT'));
    expect(sums).toBeGreaterThan(1);
    expect([isBudgetSpent(helper.plan, sums - 1), isBudgetSpent(helper.plan, sums)]).toEqual([
      false,
      true,
    ]);
    const last = await helper.ask('masks', new Uint8Array(0), sums - 1);
    expect(last.payload).toBeDefined();
  });

  it('sums no other sites when a round without noise is tried again, also after a restart', async () => {
    const path = await inFolder();
    const memory = openHelperMemory(path);
    const helper = await helperOn(memory, OPEN);
    await helper.ask('masks', await helper.listOf([0, 1, 2, 3]));
    await memory.close();
    const later = openHelperMemory(path);
    const again = await helperOn(later, OPEN);
    const fewer = await again.listOf([0, 1, 2], 0, 3, 1);
    await expect(again.ask('masks', fewer, 0, 1)).rejects.toEqual(
      code('AGGREGATION_COHORT_CHANGED'),
    );
    const same = await again.listOf([3, 2, 1, 0], 0, 3, 2);
    await expect(again.ask('masks', same, 0, 2)).resolves.toBeDefined();
    // Another round, and a plan that allows it.
    const next = await again.listOf([0, 1, 2], 1);
    await expect(again.ask('masks', next, 1)).resolves.toBeDefined();
    await later.close();
    const free = await helperOn(openHelperMemory(':memory:'), OPEN, { repeatWithOthers: true });
    await free.ask('masks', await free.listOf([0, 1, 2, 3]));
    const other = await free.listOf([0, 1, 2], 0, 3, 1);
    await expect(free.ask('masks', other, 0, 1)).resolves.toBeDefined();
  });

  it('runs once on a folder', async () => {
    const folder = dirname(await inFolder());
    const lock = lockHelper(folder);
    expect(() => lockHelper(folder)).toThrow(code('HELPER_RUNNING'));
    lock.release();
    lockHelper(folder).release();
  });
});
