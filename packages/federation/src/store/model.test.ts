/** Random commands against both stores and against a simple model of one run. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIdentity } from '../identity/keys.ts';
import { type LedgerEntry, nextEntry } from '../ledger/entry.ts';
import { openPlan } from '../testing/plans.ts';
import { PLACES } from '../testing/stores.ts';
import type { FederationStore, RunState } from './federation-store.ts';
import { openFederationStore } from './open-store.ts';

const RUNS = Number(process.env['SKEIN_MODEL_RUNS'] ?? 15);
const identity = await createIdentity();
const plan = openPlan();
const SITES = ['1', '2', '3'].map((digit) => digit.repeat(64));
const PHASES = ['gather', 'keys', 'input'];

interface Model {
  state: RunState;
  revision: number;
  ledger: LedgerEntry[];
  revoked: Set<string>;
  members: Set<string>;
  /** By place and site. */
  answers: Map<string, number>;
}
interface Real {
  readonly store: FederationStore;
}
type Command = fc.AsyncCommand<Model, Real>;
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

const command = (name: string, run: (model: Model, real: Real) => Promise<void>): Command => ({
  check: () => true,
  async run(model, real) {
    await run(model, real);
    const record = await real.store.run('r');
    assert.deepEqual(record?.state, model.state);
    assert.equal(record?.revision, model.revision);
    assert.deepEqual(await real.store.ledger('r', 0, 1000), model.ledger);
  },
  toString: () => name,
});

const advance = fc
  .record({
    phase: fc.constantFrom(...PHASES),
    status: fc.constantFrom('running' as const, 'paused' as const, 'stopped' as const),
    round: fc.nat(2),
    attempt: fc.nat(1),
    roster: fc.subarray(SITES),
    stale: fc.nat(4),
    entries: fc.nat(2),
  })
  .map(({ stale, entries, ...given }) =>
    command(`advance ${JSON.stringify(given)} ${stale} ${entries}`, async (model, { store }) => {
      const state: RunState = { ...given, optimiser: 'o', releases: 0 };
      const added: LedgerEntry[] = [];
      for (let i = 0; i < entries; i += 1) {
        const before = added.at(-1) ?? model.ledger.at(-1);
        const content = { run: 'r', at: '2026-01-01T00:00:00Z', witnesses: [] };
        const event = { kind: 'paused', reason: 'x' } as const;
        added.push(await nextEntry(identity, before, { ...content, event }));
      }
      const isStale = stale === 0;
      const done = store.advance('r', model.revision - (isStale ? 1 : 0), state, added);
      const result = await done.catch(codeOf);
      if (isStale) return assert.equal(result, 'FEDERATION_MOVED');
      model.state = state;
      model.revision += 1;
      model.ledger.push(...added);
    }),
  );

const answered = fc
  .record({
    site: fc.constantFrom(...SITES),
    value: fc.nat(1),
    round: fc.nat(2),
    attempt: fc.nat(1),
    phase: fc.constantFrom(...PHASES),
    here: fc.boolean(),
  })
  .map(({ site, value, here, ...elsewhere }) =>
    command(`answer ${site[0]} ${value} ${here}`, async (model, { store }) => {
      const { round, attempt, phase } = here ? model.state : elsewhere;
      const place = { round, attempt, phase };
      const key = JSON.stringify([place, site]);
      const record = { place, site, fields: { value }, signature: 'f' };
      const result = await store.addAnswer('r', record).catch(codeOf);
      const known = model.answers.get(key);
      const { state } = model;
      const isOpen =
        state.status !== 'stopped' &&
        JSON.stringify(place) ===
          JSON.stringify({ round: state.round, attempt: state.attempt, phase: state.phase }) &&
        state.roster.includes(site);
      const expected =
        known !== undefined
          ? known === value
            ? false
            : 'ANSWER_CONFLICT'
          : model.revoked.has(site)
            ? 'IDENTITY_REVOKED'
            : isOpen || 'PHASE_CLOSED';
      assert.equal(result, expected);
      if (expected === true) model.answers.set(key, value);
    }),
  );

const enrol = fc.constantFrom(...SITES).map((site) =>
  command(`enrol ${site[0]}`, async (model, { store }) => {
    const id = site.slice(0, 16);
    const hash = 'a'.repeat(64);
    await store.addInvitation({
      id,
      run: 'r',
      secretHash: hash,
      name: 'n',
      role: 'site',
      uses: 1,
      expiresAt: 9e15,
    });
    const proof = { id, secretHash: hash };
    const result = await store.enrol('r', site, 'site', proof).catch(codeOf);
    if (model.revoked.has(site)) return assert.equal(result, 'IDENTITY_REVOKED');
    model.members.add(site);
    assert.deepEqual(new Set((await store.members('r')).map(({ key }) => key)), model.members);
  }),
);

const revoke = fc.constantFrom(...SITES).map((site) =>
  command(`revoke ${site[0]}`, async (model, { store }) => {
    const isNew = model.members.has(site) && !model.revoked.has(site);
    assert.equal(await store.revoke('r', site), isNew);
    if (isNew) model.revoked.add(site);
  }),
);

const drop = fc.record({ round: fc.nat(2), attempt: fc.nat(1) }).map(({ round, attempt }) =>
  command(`drop before ${round} ${attempt}`, async (model, { store }) => {
    await store.dropAnswers('r', round, attempt);
    for (const key of model.answers.keys()) {
      const [place] = JSON.parse(key) as [{ round: number; attempt: number }];
      if (place.round < round || (place.round === round && place.attempt < attempt))
        model.answers.delete(key);
    }
    const kept = [...model.answers.keys()].filter((key) => {
      const [place] = JSON.parse(key) as [{ round: number; attempt: number }];
      return place.round === round && place.attempt === attempt;
    });
    assert.equal((await store.answers('r', round, attempt)).length, kept.length);
  }),
);

describe.each(Object.entries(PLACES))('a store of federations in %s', (_, backend) => {
  const { skip } = backend;
  let place: Awaited<ReturnType<typeof backend.make>>;
  beforeAll(async () => {
    if (!skip) place = await backend.make();
  });
  afterAll(() => place?.destroy());

  it.skipIf(skip)('behaves like the model', async () => {
    const commands = fc.commands(
      [advance, advance, answered, answered, answered, enrol, revoke, drop],
      {
        maxCommands: 40,
      },
    );
    let count = 0;
    const property = fc.asyncProperty(commands, async (sequence) => {
      count += 1;
      const { address, ...namespace } = place.at(`m${count}`);
      const store = await openFederationStore(address, namespace);
      try {
        await fc.asyncModelRun(async () => {
          const event = { kind: 'paused', reason: 'first' } as const;
          const content = { run: 'r', at: '2026-01-01T00:00:00Z', witnesses: [] };
          const first = await nextEntry(identity, undefined, { ...content, event });
          const state: RunState = {
            status: 'running',
            round: 0,
            attempt: 0,
            phase: 'gather',
            roster: [],
            optimiser: 'o',
            releases: 0,
          };
          await store.createRun({ id: 'r', plan, planDigest: 'd'.repeat(64), state }, first);
          const model: Model = {
            state,
            revision: 1,
            ledger: [first],
            revoked: new Set(),
            members: new Set(),
            answers: new Map(),
          };
          return { model, real: { store } };
        }, sequence);
      } finally {
        await store.close();
      }
    });
    await expect(fc.assert(property, { numRuns: RUNS })).resolves.toBeUndefined();
  });
});
