/** Counts of four hospitals, by real sites with pairwise masks, against a loop over their rows. */
import { seededRandom, readModel, values, type Model } from '@skein/onnx';
import { LABELS, MASK, problemOf } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import { invitationOf } from '../../identity/invitation.ts';
import { pseudonymOf } from '../../identity/keys.ts';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import type { Work } from '../../site/answers.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import { runSite } from '../../site/run-site.ts';
import { readSiteRows, rowTermsOf } from '../../site/site-rows.ts';
import { openWork } from '../../site/work/open-work.ts';
import {
  marginal,
  reportOf,
  scoresOf,
  statisticsOf,
  type Statistics,
} from '../../statistics/index.ts';
import { connectionPair } from '../../transport/connection.ts';
import { readArtifact } from '../storage/uploads.ts';
import { startCommittee } from '../testing/committee.ts';
import { startFederation, type TestFederation } from '../testing/federation.ts';

const COLUMNS: PlanDraft['data'] = {
  features: [
    { name: 'age', kind: 'number', low: 20, high: 80 },
    { name: 'sex', kind: 'category', categories: ['f', 'm'] },
  ],
  target: { name: 'disease', kind: 'category', classes: ['no', 'yes'] },
};
const TABLES = [
  [
    { kind: 'score', bins: 10, low: -2, high: 2 },
    { kind: 'label' },
    { kind: 'column', name: 'sex' },
  ],
  [{ kind: 'column', name: 'age', bins: 6 }],
] as const;

const counting = (more: object = {}, plan: Partial<PlanDraft> = {}): Partial<PlanDraft> => ({
  data: COLUMNS,
  strategy: { name: 'statistics', tables: TABLES.map((table) => [...table]), ...more } as never,
  rounds: 1,
  // So little noise that each count is known once it is rounded.
  privacy: { mode: 'patient', noise: 0.03, epsilon: 1e9 },
  aggregation: { kind: 'pairwise', range: 100 },
  sites: { minimum: 4, maximum: 6 },
  deadlines: { phaseMs: 3000, trainMs: 3000 },
  ...plan,
});

interface Row {
  readonly age: number;
  readonly sex: 'f' | 'm' | 'x';
  readonly disease: 'no' | 'yes';
  readonly patient: number;
}

function rowsOf(site: number, count = 40): Row[] {
  const random = seededRandom(site + 1);
  return Array.from({ length: count }, (_, i) => ({
    // Some lie beyond the range of the plan.
    age: Math.round(10 + 80 * random.next()),
    sex: random.next() < 0.1 ? 'x' : random.next() < 0.5 ? 'f' : 'm',
    disease: random.next() < 0.5 ? 'yes' : 'no',
    patient: Math.floor(i / 3),
  }));
}

const textOf = (rows: readonly Row[]): string =>
  [
    'patient,age,sex,disease',
    ...rows.map((each) => `${each.patient},${each.age},${each.sex},${each.disease}`),
  ].join('\n');

interface Hospital {
  readonly rows: readonly Row[];
  readonly change?: (work: Work) => Work;
  /** Releases that its account has counted. */
  readonly charged: number[];
}

async function joinHospital(at: TestFederation, run: string, hospital: Hospital) {
  const memory = openSqliteMemory(':memory:');
  const keys = await memory.identity();
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey));
  const ended = runSite({
    invitation: invitationOf(await at.coordinator.invite(run, { name: 'hospital' })),
    memory,
    consent: async () => {},
    async open() {
      const [near, far] = connectionPair();
      at.coordinator.connect(far);
      return near;
    },
    async prepare(joined, fetchModel) {
      const { plan } = joined;
      const source = new TextEncoder().encode(textOf(hospital.rows));
      const rows = await readSiteRows(plan.data, source, 'csv', rowTermsOf(plan));
      const work = await openWork({
        joined,
        run,
        memory,
        model: await fetchModel(),
        rows,
        backend: nativeBackend,
      });
      return hospital.change?.(work) ?? work;
    },
    charge: (releases) => void hospital.charged.push(releases),
    signal: new AbortController().signal,
  });
  ended.catch(() => {});
  return { ended, pseudonym: await pseudonymOf(Buffer.from(raw).toString('hex')) };
}

/** The model's logit of each row, all in one batch. */
async function logitsOf(model: Model, rows: readonly Row[]): Promise<number[]> {
  const { predicting, prediction } = problemOf(model, { batch: rows.length });
  const graph = await nativeBackend.open(predicting);
  const numbers = rows.flatMap(({ age, sex }) => [age, 'fmx'.indexOf(sex)]);
  const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
  const feeds = new Map([
    ['features', { type: 'float32', shape: [rows.length, 2], bytes } as const],
  ]);
  expect([LABELS, MASK].some((name) => feeds.has(name))).toBe(false);
  const logits = values((await graph.run(feeds)).get(prediction)!);
  await graph.close();
  return Array.from(logits as Float32Array);
}

/** The cells of both tables, by a loop. */
async function naive(model: Model, rows: readonly Row[]): Promise<number[][]> {
  const logits = await logitsOf(model, rows);
  const first = Array.from({ length: 11 * 2 * 3 }, () => 0);
  const second = Array.from({ length: 7 }, () => 0);
  for (const [i, { age, sex, disease }] of rows.entries()) {
    const score = Math.min(9, Math.max(0, Math.floor((logits[i]! + 2) / 0.4)));
    first[(score * 2 + (disease === 'yes' ? 1 : 0)) * 3 + 'fmx'.indexOf(sex)]! += 1;
    second[Math.min(5, Math.max(0, Math.floor((age - 20) / 10)))]! += 1;
  }
  return [first, second];
}

const rounded = (counts: readonly number[]): number[] => counts.map((each) => Math.round(each) + 0);

async function counted(at: TestFederation, hospitals: readonly Hospital[]) {
  const { id } = await at.coordinator.start(at.draft);
  const sites = await Promise.all(hospitals.map((each) => joinHospital(at, id, each)));
  const ends = await Promise.all(sites.map(({ ended }) => ended.catch((error: unknown) => error)));
  return { id, sites, ends };
}

const hospital = (rows: readonly Row[], change?: Hospital['change']): Hospital => ({
  rows,
  charged: [],
  ...(change === undefined ? {} : { change }),
});

it('counts the rows of all sites in one cell each, is charged once, and stands in the ledger', async () => {
  const at = await startFederation(counting());
  const all = [0, 1, 2, 3].map((site) => hospital(rowsOf(site)));
  const { id } = await counted(at, all);
  const { plan, status, spent } = await at.coordinator.view(id);
  expect([status, plan.model.parameters, plan.privacy]).toEqual([
    'finished',
    66 + 7,
    expect.objectContaining({ clip: Math.SQRT2, denominator: 1 }),
  ]);
  const found = await at.coordinator.statistics(id);
  const model = readModel(await readArtifact(at.artifacts, plan.model.digest));
  const expected = await naive(
    model,
    all.flatMap(({ rows }) => rows),
  );
  expect(found.tables.map(({ pooled }) => rounded(pooled.counts))).toEqual(expected);
  expect(found.tables.map(({ sites }) => sites)).toEqual([{}, {}]);
  expect(all.map(({ charged }) => charged)).toEqual([[1], [1], [1], [1]]);
  // The ledger holds the charge and the digest of the counts, from which a reader derives them again.
  const ledger = await at.coordinator.ledger(id);
  const verified = await verifyLedger(ledgerText(ledger));
  expect([verified.rounds, verified.releases]).toEqual([1, 1]);
  const done = ledger.entries
    .map(({ event }) => event)
    .find(({ kind }) => kind === 'finished-round');
  expect(done).toMatchObject({ after: found.digest });
  expect(spent.every(({ epsilon }) => epsilon > 0)).toBe(true);
  const other = { roster: [], survivors: [], digest: found.digest };
  await expect(statisticsOf(plan, found.plan, other, new Uint8Array(4))).rejects.toMatchObject({
    code: 'LEDGER_INVALID',
  });
});

it('counts by site without the one that drops out, and adds its sums up', async () => {
  const at = await startFederation(counting({ bySite: true }));
  const away: Hospital['change'] = (work) => async (task) => {
    if (task.place.phase === 'input') return new Promise(() => {});
    return work(task);
  };
  const all = [0, 1, 2, 3].map((site) => hospital(rowsOf(site), site === 2 ? away : undefined));
  const { id } = await at.coordinator.start(at.draft);
  const sites = await Promise.all(all.map((each) => joinHospital(at, id, each)));
  await Promise.all(sites.filter((_, i) => i !== 2).map(({ ended }) => ended));
  const found = await at.coordinator.statistics(id);
  const { plan } = await at.coordinator.view(id);
  const model = readModel(await readArtifact(at.artifacts, plan.model.digest));
  const here = [0, 1, 3];
  expect(found.sites.toSorted()).toEqual(here.map((i) => sites[i]!.pseudonym).toSorted());
  for (const i of here) {
    const expected = await naive(model, all[i]!.rows);
    const own = found.tables.map((table) => rounded(table.sites[sites[i]!.pseudonym]!.counts));
    expect(own).toEqual(expected);
  }
  const pooled = await naive(
    model,
    here.flatMap((i) => [...all[i]!.rows]),
  );
  expect(found.tables.map((table) => rounded(table.pooled.counts))).toEqual(pooled);
  expectReport(found);
});

function expectReport(found: Statistics): void {
  const [first, second] = reportOf(found);
  expect(first!.scored.map(({ kind }) => kind)).toEqual([
    'all',
    'site',
    'site',
    'site',
    ...first!.scored.slice(4).map(() => 'group'),
  ]);
  // The noise of 60 cells.
  expect(Math.abs(first!.scored[0]!.rows! - 120)).toBeLessThan(4);
  // Few rows have a sex that the plan does not list.
  expect(first!.scored.map(({ name }) => name)).toContain('sex = f');
  const ages = second!.columns[0]!.parts;
  expect(ages[0]!.quantiles).toHaveLength(5);
  expect(ages.slice(1).every(({ drift }) => drift!.p > 0.001)).toBe(true);
  expect(ages[0]!.counts.at(-1)).toEqual({ name: 'none', rows: null });
  const [table] = found.tables;
  const scores = scoresOf(table!, table!.pooled);
  const sum = [...scores.positives, ...scores.negatives].reduce((all, each) => all + each, 0);
  const sexes = marginal(table!, table!.pooled, [table!.axes[2]!]).counts;
  expect(sexes.reduce((all, each) => all + each, 0)).toBeCloseTo(sum + scores.unscored, 6);
}

it('counts at most so many rows of a patient, and none of a patient without a name', async () => {
  const at = await startFederation(
    counting({ patient: { column: 'patient', rows: 2 }, tables: [[...TABLES[1]]] }),
  );
  const all = [0, 1, 2, 3].map((site) => hospital(rowsOf(site)));
  const { id } = await counted(at, all);
  const { plan } = await at.coordinator.view(id);
  expect(plan.privacy).toMatchObject({ clip: 2 });
  const found = await at.coordinator.statistics(id);
  const model = readModel(await readArtifact(at.artifacts, plan.model.digest));
  const kept = all.flatMap(({ rows }) => rows.filter((_, i) => i % 3 < 2));
  expect(rounded(found.tables[0]!.pooled.counts)).toEqual((await naive(model, kept))[1]);
});

it('counts by site with helpers, who add the noise', async () => {
  const { aggregation: _, ...plan } = counting({ bySite: true });
  const sites = { minimum: 4, maximum: 6, threshold: 3 };
  const committee = await startCommittee({ ...plan, sites }, 2, { range: 100 });
  const { at, id } = committee;
  const helping = [0, 1].map((number) => committee.helper(number));
  const all = [0, 1, 2, 3].map((site) => hospital(rowsOf(site)));
  const sent = await Promise.all(all.map((each) => joinHospital(at, id, each)));
  await Promise.all([...sent, ...helping].map(({ ended }) => ended));
  const found = await at.coordinator.statistics(id);
  const { plan: whole } = await at.coordinator.view(id);
  const model = readModel(await readArtifact(at.artifacts, whole.model.digest));
  for (const [i, { pseudonym }] of sent.entries()) {
    const own = found.tables.map((table) => rounded(table.sites[pseudonym]!.counts));
    expect(own).toEqual(await naive(model, all[i]!.rows));
  }
});

it('ends as failed where the budget pays for no further attempt, and has no counts', async () => {
  // Three sites decline the only attempt that the budget pays for, after it was charged.
  const at = await startFederation(
    counting({}, { privacy: { mode: 'patient', noise: 3, epsilon: 2, delta: 1e-3 } }),
  );
  const declining: Hospital['change'] = (work) => async (task) => {
    if (task.place.phase === 'input') throw new Error('no power');
    return work(task);
  };
  const all = [0, 1, 2, 3].map((site) => hospital(rowsOf(site), site > 0 ? declining : undefined));
  const { id } = await counted(at, all);
  const { status, reason } = await at.coordinator.view(id);
  expect([status, reason]).toEqual(['failed', expect.stringMatching('PRIVACY_BUDGET_SPENT')]);
  await expect(at.coordinator.statistics(id)).rejects.toMatchObject({ code: 'STATISTICS_MISSING' });
});
