import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createIdentity } from '../identity/keys.ts';
import { randomHex } from '@skein/api/signing-key';
import { nextEntry, type LedgerEntry } from '../ledger/entry.ts';
import { openPlan } from '../testing/plans.ts';
import { PLACES } from '../testing/stores.ts';
import type {
  AnswerRecord,
  FederationStore,
  InvitationRecord,
  RunState,
} from './federation-store.ts';
import { openFederationStore } from './open-store.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const plan = openPlan();
const identity = await createIdentity();
const [north, south] = ['1'.repeat(64), '2'.repeat(64)] as const;
const gathering: RunState = {
  status: 'running',
  round: 0,
  attempt: 0,
  phase: 'gather',
  roster: [],
  optimiser: 'o'.repeat(64),
  releases: 0,
};
const training: RunState = { ...gathering, phase: 'train', roster: [north, south] };
const entry = (run: string, before?: LedgerEntry): Promise<LedgerEntry> =>
  nextEntry(identity, before, {
    run,
    at: '2026-01-01T00:00:00.000Z',
    event: { kind: 'paused', reason: 'test' },
    witnesses: [],
  });
const answer = (site: string, more: Partial<AnswerRecord> = {}): AnswerRecord => ({
  place: { round: 0, attempt: 0, phase: 'train' },
  site,
  fields: { weight: 1 },
  signature: 'f'.repeat(128),
  ...more,
});

describe.each(Object.entries(PLACES))('a store of federations in %s', (_, backend) => {
  const { skip } = backend;
  let place: Awaited<ReturnType<typeof backend.make>>;
  let store: FederationStore;
  let count = 0;
  let now = 0;
  const open = (): Promise<FederationStore> => {
    const { address, ...namespace } = place.at(`s${count}`);
    return openFederationStore(address, { ...namespace, clock: () => now });
  };
  beforeAll(async () => {
    if (!skip) place = await backend.make();
  });
  afterAll(() => place?.destroy());
  beforeEach(async (context) => {
    if (skip) return context.skip();
    count += 1;
    now = 1000;
    store = await open();
  });
  afterEach(() => store?.close());

  const create = async (id: string) =>
    store.createRun({ id, plan, planDigest: 'd'.repeat(64), state: gathering }, await entry(id));
  const invite = async (run: string, more: Partial<InvitationRecord> = {}) => {
    const id = randomHex(8);
    const secretHash = 'a'.repeat(64);
    const terms = { name: 'n', role: 'site', uses: 1, expiresAt: 2000 } as const;
    await store.addInvitation({ id, run, secretHash, ...terms, ...more });
    return { id, secretHash };
  };

  it('keeps a run and its ledger over a restart', async () => {
    const made = await create('f-1');
    const next = await entry('f-1', await store.ledgerTail('f-1'));
    const moved = await store.advance('f-1', made.revision, training, [next]);
    await store.close();
    store = await open();
    expect(await store.run('f-1')).toEqual({ ...moved, plan });
    expect(await store.run('f-1')).toMatchObject({ revision: 2, state: training });
    expect((await store.ledger('f-1', 0, 10)).map(({ sequence }) => sequence)).toEqual([0, 1]);
    expect(await store.ledger('f-1', 1, 10)).toEqual([next]);
    await expect(create('f-1')).rejects.toEqual(code('FEDERATION_MOVED'));
  });

  it('changes a run and its ledger together, and only from the state that the writer has read', async () => {
    const { revision } = await create('f-1');
    const first = await store.ledgerTail('f-1');
    const second = await entry('f-1', first);
    await store.advance('f-1', revision, training, [second]);
    await expect(store.advance('f-1', revision, gathering, [])).rejects.toEqual(
      code('FEDERATION_MOVED'),
    );
    // A ledger that forks is refused, and so is the state that came with it.
    const fork = await entry('f-1', first);
    await expect(store.advance('f-1', 2, gathering, [fork])).rejects.toEqual(
      code('FEDERATION_MOVED'),
    );
    expect(await store.run('f-1')).toMatchObject({ revision: 2, state: training });
    expect(await store.ledgerTail('f-1')).toEqual(second);
  });

  it('lets one of two coordinators take a step', async () => {
    const { revision } = await create('f-1');
    const other = await open();
    const steps = await Promise.allSettled(
      [store, other].map((each) => each.advance('f-1', revision, training, [])),
    );
    await other.close();
    expect(steps.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('lets as many keys use an invitation as it allows, and takes answers of a helper outside the roster', async () => {
    const { revision } = await create('f-1');
    const proof = await invite('f-1', { name: 'page', uses: 2 });
    const names = [north, south, north].map(async (key) => {
      const { name } = await store.enrol('f-1', key, 'site', proof);
      return name;
    });
    expect(await Promise.all(names)).toEqual(['page 1', 'page 2', 'page 1']);
    const [third, helper] = ['3'.repeat(64), '4'.repeat(64)] as const;
    await expect(store.enrol('f-1', third, 'site', proof)).rejects.toEqual(
      code('INVITATION_INVALID'),
    );
    await store.enrol('f-1', helper, 'helper', await invite('f-1', { role: 'helper' }));
    await store.advance('f-1', revision, { ...training, roster: [north] }, []);
    expect(await store.addAnswer('f-1', answer(helper))).toBe(true);
    await expect(store.addAnswer('f-1', answer(south))).rejects.toEqual(code('PHASE_CLOSED'));
  });

  it('uses an invitation once, for one key, in its time', async () => {
    await create('f-1');
    const proof = await invite('f-1');
    const guessed = { ...proof, secretHash: 'b'.repeat(64) };
    await expect(store.enrol('f-1', north, 'site', guessed)).rejects.toEqual(
      code('INVITATION_INVALID'),
    );
    await expect(store.enrol('f-1', north, 'helper', proof)).rejects.toEqual(
      code('INVITATION_INVALID'),
    );
    expect(await store.enrol('f-1', north, 'site', proof)).toEqual({
      run: 'f-1',
      key: north,
      name: 'n',
      role: 'site',
    });
    // Its answer may have been lost.
    expect(await store.enrol('f-1', north, 'site', proof)).toMatchObject({ key: north });
    await expect(store.enrol('f-1', south, 'site', proof)).rejects.toEqual(
      code('INVITATION_INVALID'),
    );
    const late = await invite('f-1');
    now = 2000;
    await expect(store.enrol('f-1', south, 'site', late)).rejects.toEqual(
      code('INVITATION_INVALID'),
    );
    expect(await store.accept('f-1', north, { plan: 'p', signature: 's' })).toBe(true);
    expect(await store.accept('f-1', south, { plan: 'p', signature: 's' })).toBe(false);
    expect(await store.member('f-1', north)).toMatchObject({ key: north, accepted: { plan: 'p' } });
    expect(await store.member('f-1', south)).toBeUndefined();
    expect(await store.members('f-1')).toEqual([
      { run: 'f-1', key: north, name: 'n', role: 'site', accepted: { plan: 'p', signature: 's' } },
    ]);
    expect(await store.revoke('f-1', north)).toBe(true);
    expect(await store.revoke('f-1', north)).toBe(false);
    await expect(store.enrol('f-1', north, 'site', proof)).rejects.toEqual(
      code('IDENTITY_REVOKED'),
    );
  });

  it('stores one answer for each site and place, while its phase is open', async () => {
    const { revision } = await create('f-1');
    await expect(store.addAnswer('f-1', answer(north))).rejects.toEqual(code('PHASE_CLOSED'));
    await store.advance('f-1', revision, training, []);
    expect(await store.addAnswer('f-1', answer(north))).toBe(true);
    expect(await store.addAnswer('f-1', answer(north))).toBe(false);
    const other = answer(north, { fields: { weight: 2 } });
    await expect(store.addAnswer('f-1', other)).rejects.toEqual(code('ANSWER_CONFLICT'));
    await expect(store.addAnswer('f-1', answer('3'.repeat(64)))).rejects.toEqual(
      code('PHASE_CLOSED'),
    );
    await store.advance('f-1', 2, { ...training, status: 'paused' }, []);
    // An answer in flight is taken while a run is paused.
    expect(await store.addAnswer('f-1', answer(south))).toBe(true);
    const late = answer(south, { place: { round: 0, attempt: 0, phase: 'unmasking' } });
    await store.advance('f-1', 3, { ...training, phase: 'unmasking', status: 'stopped' }, []);
    await expect(store.addAnswer('f-1', late)).rejects.toEqual(code('PHASE_CLOSED'));
    // A repeated answer is known in any state.
    expect(await store.addAnswer('f-1', answer(north))).toBe(false);
    expect(await store.answers('f-1', 0, 0)).toEqual([answer(north), answer(south)]);
    expect(await store.dropAnswers('f-1', 0, 0)).toEqual([]);
    expect(await store.dropAnswers('f-1', 0, 1)).toEqual([]);
    expect(await store.answers('f-1', 0, 0)).toEqual([]);
  });

  it('takes answers of the present attempt alone, and drops those before it alone', async () => {
    const { revision } = await create('f-1');
    const present = { round: 1, attempt: 1, phase: 'train' };
    await store.advance('f-1', revision, { ...training, ...present }, []);
    for (const other of [{ round: 0 }, { round: 2 }, { attempt: 0 }, { attempt: 2 }]) {
      const elsewhere = answer(north, { place: { ...present, ...other } });
      await expect(store.addAnswer('f-1', elsewhere)).rejects.toEqual(code('PHASE_CLOSED'));
    }
    const payload = 'e'.repeat(64);
    const given = answer(north, { place: present, payload });
    expect(await store.addAnswer('f-1', given)).toBe(true);
    expect(await store.dropAnswers('f-1', 1, 1)).toEqual([]);
    expect(await store.answers('f-1', 1, 1)).toEqual([given]);
    expect(await store.dropAnswers('f-1', 1, 2)).toEqual([payload]);
  });

  it('refuses an entry with another number, and one that follows another entry', async () => {
    const { revision } = await create('f-1');
    const first = await store.ledgerTail('f-1');
    for (const before of [{ sequence: 1 }, { hash: '0'.repeat(64) }]) {
      const wrong = await entry('f-1', { ...first, ...before });
      const step = store.advance('f-1', revision, training, [wrong]);
      await expect(step).rejects.toEqual(code('FEDERATION_MOVED'));
    }
    expect(await store.ledger('f-1', 0, 10)).toEqual([first]);
  });

  it('keeps the order of many entries, and the answers of more sites than it reads at once', async () => {
    const { revision } = await create('f-1');
    const entries = [await store.ledgerTail('f-1')];
    for (let i = 0; i < 11; i += 1) entries.push(await entry('f-1', entries.at(-1)));
    const sites = Array.from({ length: 501 }, (_, i) => String(i).padStart(64, '0'));
    await store.advance('f-1', revision, { ...training, roster: sites }, entries.slice(1));
    expect(await store.ledger('f-1', 0, 100)).toEqual(entries);
    expect(await store.ledger('f-1', 9, 2)).toEqual(entries.slice(9, 11));
    for (const site of sites) await store.addAnswer('f-1', answer(site));
    expect((await store.answers('f-1', 0, 0)).map(({ site }) => site)).toEqual(sites);
  });

  it('takes no answer of a revoked key', async () => {
    const { revision } = await create('f-1');
    await store.enrol('f-1', north, 'site', await invite('f-1'));
    await store.advance('f-1', revision, training, []);
    await store.revoke('f-1', north);
    await expect(store.addAnswer('f-1', answer(north))).rejects.toEqual(code('IDENTITY_REVOKED'));
  });

  it('lists runs, newest first, and removes one with everything of it', async () => {
    await create('f-1');
    now += 1;
    await create('f-2');
    expect((await store.runs()).map(({ id }) => id)).toEqual(['f-2', 'f-1']);
    expect(await store.removeRun('f-1')).toBe(true);
    expect(await store.removeRun('f-1')).toBe(false);
    expect(await store.run('f-1')).toBeUndefined();
    expect(await store.ledger('f-1', 0, 10)).toEqual([]);
    expect((await store.runs()).map(({ id }) => id)).toEqual(['f-2']);
    // Writes in flight leave no row: the id may be used again.
    await expect(invite('f-1')).rejects.toEqual(code('FEDERATION_UNKNOWN'));
    expect(await store.accept('f-1', north, { plan: 'p', signature: 's' })).toBe(false);
    expect(await store.dropAnswers('f-1', 9, 9)).toEqual([]);
    await create('f-1');
    expect(await store.run('f-1')).toMatchObject({ revision: 1 });
    expect(await store.ledger('f-1', 0, 10)).toHaveLength(1);
  });
});
