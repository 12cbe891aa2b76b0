/**
 * Random operations against every backend and against a simple model. The answers must equal the
 * model's, and after every operation all records and the change feed must, too.
 */
import assert from 'node:assert/strict';
import { summaryOf } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { State } from '../contract.ts';
import type { Lease } from '../leases/leases.ts';
import type { Membership } from '../members/members.ts';
import { sampleRun } from '../runs/testing/sample-run.ts';
import {
  digest,
  memberInfo,
  modelVersion,
  overEveryState,
  settings,
  START,
} from '../testing/every-state.ts';
import { StateModel, type Announced } from '../testing/state-model.ts';

const RUNS = Number(process.env['SKEIN_MODEL_RUNS'] ?? 15);
const TTL_MS = 1000;

const time = (second: number) => new Date(START + second * 1000).toISOString();
const codeOf = (error: unknown) => (error instanceof SkeinError ? error.code : error);

/** The state under test and the model of it, with what a caller holds. */
interface Both {
  readonly state: State;
  readonly model: StateModel;
  readonly leases: Lease[];
  readonly memberships: Membership[];
}
type Operation = readonly [name: string, run: (both: Both) => Promise<void>];

const pick = <T>(from: readonly T[], index: number): T | undefined =>
  from[index % Math.max(1, from.length)];

const operation = (
  name: string,
  run: (both: Both, a: number, b: number, c: number) => Promise<void>,
): fc.Arbitrary<Operation> =>
  fc
    .tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 5 }))
    .map(([a, b, c]) => [`${name} ${a} ${b} ${c}`, (both) => run(both, a, b, c)]);

const models = ['m', 'm:1', 'Ünïcode'];

const operations = fc.oneof(
  operation('add version', async ({ state, model }, a, b) => {
    const name = models[a % 3]!;
    const { version } = await state.addVersion(modelVersion(name, b));
    assert.equal(Number(version), model.addVersion(name, digest(b)));
  }),
  operation('remove version', async ({ state, model }, a, _, c) => {
    const name = models[a % 3]!;
    await state.removeVersion(name, String(c));
    model.removeVersion(name, c);
  }),
  operation('put deployment', async ({ state, model, leases }, a, b, c) => {
    const name = `d${a}`;
    const expected = (model.deployments.get(name)?.revision ?? 0) + (c === 0 ? 1 : 0);
    const fence = b === 0 ? pick(leases, c) : undefined;
    const targets = [{ version: '1', weight: c }];
    const put = await state
      .putDeployment({ name, settings, targets }, expected, fence)
      .then(({ revision }) => revision, codeOf);
    assert.equal(put, model.putDeployment(name, c, expected, fence));
  }),
  operation('remove deployment', async ({ state, model }, a) => {
    await state.removeDeployment(`d${a}`);
    model.removeDeployment(`d${a}`);
  }),
  operation('add key', async ({ state, model }, a) => {
    const key = { id: `k${a}`, secretHash: '', label: '', tenant: 't', createdAt: time(0) };
    const added = await state.addKey({ ...key, scopes: ['infer'] }).then(
      () => true,
      () => false,
    );
    assert.equal(added, model.addKey(key.id));
  }),
  operation('revoke key', async ({ state, model }, a, b) => {
    assert.equal(await state.revokeKey(`k${a}`, time(b)), model.revokeKey(`k${a}`, time(b)));
  }),
  operation('remove keys', async ({ state, model }, a, b) => {
    const ids = [`k${a}`, `k${b}`];
    await state.removeKeys(ids);
    model.removeKeys(ids);
  }),
  operation('add history', async ({ state, model }, a, _, c) => {
    const entry = { deployment: `d${a}`, kind: 'scaled', details: { c }, actor: 'x' } as const;
    const { id } = await state.addHistory({ ...entry, reason: `${a} ${c}` });
    model.addHistory(id, `${a} ${c}`);
  }),
  operation('put run', async ({ state, model }, a, b, c) => {
    const times = { startedAt: time(b), updatedAt: time(c) };
    const run = sampleRun(`r ${a}`, times);
    const kept = await state.putRun(run);
    model.putRun(run.id, times.startedAt, times.updatedAt);
    assert.deepEqual(kept, summaryOf(sampleRun(run.id, model.runs.get(run.id))));
  }),
  operation('remove run', async ({ state, model }, a) => {
    assert.equal(await state.removeRun(`r ${a}`), model.removeRun(`r ${a}`));
  }),
  operation('join', async ({ state, model, memberships }, a, b) => {
    const membership = await state.members.join(memberInfo(`n${a}`), TTL_MS * (b + 1));
    memberships.push(membership);
    model.join(membership.incarnation, `n${a}`, TTL_MS * (b + 1));
  }),
  operation('leave', async ({ model, memberships }, a) => {
    const membership = pick(memberships, a);
    if (membership === undefined) return;
    await membership.leave();
    // The next call of a member removes the leases that have ended.
    model.leave(membership.incarnation);
  }),
  operation('acquire', async ({ state, model, leases }, a, b) => {
    const name = `lease ${a % 2}`;
    const before = model.held(name);
    const lease = await state.leases.acquire(name, `h${b}`, TTL_MS);
    assert.equal(lease === undefined, before !== undefined && before.holder !== `h${b}`);
    if (lease === undefined) return;
    for (const earlier of leases) assert.ok(lease.token > earlier.token);
    leases.push(lease);
    model.leases.set(name, { holder: `h${b}`, token: lease.token, until: model.now + TTL_MS });
  }),
  operation('renew lease', async ({ model, leases }, a, b) => {
    const lease = pick(leases, a + 4 * b);
    if (lease === undefined) return;
    const held = model.held(lease.name);
    const holds = held?.token === lease.token;
    assert.equal(await lease.renew(), holds);
    if (holds) model.leases.set(lease.name, { ...held, until: model.now + TTL_MS });
  }),
  operation('release lease', async ({ model, leases }, a) => {
    const lease = pick(leases, a);
    if (lease === undefined) return;
    await lease.release();
    if (model.held(lease.name)?.token === lease.token) model.leases.delete(lease.name);
  }),
  operation('pass time', async ({ model }, _, __, c) => {
    model.now += c * 300;
  }),
);

async function agree({ state, model }: Both, follow: () => Promise<Announced[]>): Promise<void> {
  const versions = [...model.versions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, all]) => [...all].map(([number, each]) => `${name} ${number} ${each}`));
  const stored = await state.versions();
  expect(stored.map((each) => `${each.model} ${each.version} ${each.digest}`)).toEqual(versions);

  const rows = (await state.deployments()).map((each) => [
    each.name,
    { revision: each.revision, weight: each.targets[0]!.weight },
  ]);
  expect(rows).toEqual([...model.deployments].sort(([a], [b]) => (a < b ? -1 : 1)));
  expect(await state.tombstones()).toEqual(model.tombstones());
  for (const name of ['d0', 'd1']) {
    const earlier = await state.deploymentRevisions(name);
    const revisions = (model.earlier.get(name) ?? []).map(({ revision }) => revision);
    expect(earlier.map(({ revision }) => revision)).toEqual(revisions);
  }

  const keys = (await state.keys()).map(({ id, revokedAt }) => [id, revokedAt]);
  expect(keys).toEqual([...model.keys]);
  const history = await state.history({ limit: 1000 });
  expect(history.map(({ reason }) => reason)).toEqual(model.history);
  const runs = [...model.runs]
    .map(([id, { startedAt }]) => `${startedAt} ${id}`)
    .sort()
    .reverse();
  expect((await state.runs({ limit: 99 })).map((run) => `${run.startedAt} ${run.id}`)).toEqual(
    runs,
  );

  expect((await state.members.list()).map(({ name }) => name)).toEqual(model.memberNames());
  for (const name of ['lease 0', 'lease 1']) {
    expect(await state.leases.holder(name)).toBe(model.held(name)?.holder);
  }
  expect(inAnyOrderOfEnd(await follow())).toEqual(inAnyOrderOfEnd(model.changes));
}

/** Leases that end at the same moment are removed in no particular order. */
function inAnyOrderOfEnd(changes: readonly Announced[]): Announced[] {
  const ends = (change: Announced) => change.kind === 'member' && change.removed === true;
  const sorted = [...changes];
  for (let from = 0; from < sorted.length; from += 1) {
    let to = from;
    while (to < sorted.length && ends(sorted[to]!)) to += 1;
    const run = sorted.slice(from, to).sort((a, b) => (a.id < b.id ? -1 : 1));
    sorted.splice(from, run.length, ...run);
    from = Math.max(from, to);
  }
  return sorted;
}

/** All announcements of the feed so far. */
function follower(state: State, after: string, model: StateModel): () => Promise<Announced[]> {
  const seen: Announced[] = [];
  let cursor = after;
  return async () => {
    const stop = new AbortController();
    if (seen.length >= model.changes.length) return seen;
    for await (const page of state.changes(cursor, stop.signal)) {
      for (const { cursor: at, ...change } of page) {
        cursor = at;
        seen.push(change);
      }
      if (seen.length >= model.changes.length) break;
    }
    return seen;
  };
}

overEveryState(
  'a model of the state',
  (at) => {
    it('agrees with it after any operations', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operations, { minLength: 5, maxLength: 40 }), async (steps) => {
          await at.renew();
          const model = new StateModel();
          const both: Both = { state: at.state, model, leases: [], memberships: [] };
          const follow = follower(at.state, (await at.state.position()).cursor, model);
          for (const [name, run] of steps) {
            at.now = START + model.now;
            await run(both);
            at.now = START + model.now;
            await agree(both, follow).catch((error: unknown) => {
              throw new Error(`after ${name}`, { cause: error });
            });
          }
          expect(await follow()).toHaveLength(model.changes.length);
        }),
        { numRuns: RUNS, seed: 13 },
      );
    });
  },
  "the test's",
);
