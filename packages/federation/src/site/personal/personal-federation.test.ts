/** Models of sites' own in a running federation, against the models of the simulation, and on hospitals that differ. */
import { readModel, seededRandom } from '@skein/onnx';
import { MASK, metricsOf, openEvaluator, problemOf, taskReport } from '@skein/train';
import {
  federatedModel,
  openPersonal,
  simulate,
  strategyOf,
  tensorsOf,
} from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import { connectionPair } from '../../transport/connection.ts';
import { invitationOf } from '../../identity/invitation.ts';
import { startFederation, type TestFederation } from '../../coordinator/testing/federation.ts';
import { readArtifact } from '../../coordinator/storage/uploads.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import { strategyOfPlan } from '../../plan/strategy.ts';
import { openSqliteMemory } from '../memory/sqlite-memory.ts';
import { runSite } from '../run-site.ts';
import { readSiteRows, type SiteRows } from '../site-rows.ts';
import { openWork } from '../work/open-work.ts';
import { openPersonalModel, type PersonalModel, type PersonalTerms } from './personal-model.ts';

const ROUNDS = 5;
const LOCAL = { steps: 6, batch: 5, learningRate: 0.5 };

/**
 * Rows of four hospitals that differ: the old are ill at one, the young at another, then men, then women.
 * @returns lines of a table, of each hospital.
 */
function hospitals(seed: number, count: number): string[][] {
  const random = seededRandom(seed);
  const rules = [
    (age: number) => age > 50,
    (age: number) => age <= 50,
    (_: number, sex: number) => sex === 1,
    (_: number, sex: number) => sex === 0,
  ];
  return rules.map((isIll) =>
    Array.from({ length: count }, () => {
      const [age, sex] = [Math.round(100 * random.next()), random.next() < 0.5 ? 0 : 1];
      return `${age},${sex},${isIll(age, sex) ? 1 : 0}`;
    }),
  );
}

const rowsOf = (at: TestFederation, lines: readonly string[]): Promise<SiteRows> =>
  readSiteRows(
    at.draft.data,
    new TextEncoder().encode(['age,sex,disease', ...lines, ''].join('\n')),
  );

interface Trained {
  /** Model of each site after the last round. */
  readonly own: Float32Array;
  /** The global model that the last round was trained from. */
  readonly global: Float32Array;
  readonly rounds: readonly number[];
}

/** A federation of sites that each train a model of their own too. */
async function trained(
  at: TestFederation,
  sites: readonly SiteRows[],
  terms: PersonalTerms,
): Promise<Trained[]> {
  const { id: run } = await at.coordinator.start(at.draft);
  return Promise.all(
    sites.map(async (rows, site) => {
      const memory = openSqliteMemory(':memory:');
      const invitation = invitationOf(await at.coordinator.invite(run, { name: `site ${site}` }));
      let personal: PersonalModel | undefined;
      let last: Omit<Trained, 'rounds'> | undefined;
      const rounds: number[] = [];
      const { status } = await runSite({
        invitation,
        memory,
        async open() {
          const [near, far] = connectionPair();
          at.coordinator.connect(far);
          return near;
        },
        consent: async () => {},
        async prepare(joined, fetchModel) {
          const model = await fetchModel();
          const shared = { run, memory, model, rows, backend: nativeBackend };
          personal = await openPersonalModel({
            ...shared,
            plan: joined.plan,
            terms,
            onTrained({ round, own, global }) {
              rounds.push(round);
              last = { own, global: global! };
            },
            onProblem: (problem) => expect.fail(String(problem)),
          });
          const { onBroadcast } = personal;
          return personal.first(await openWork({ ...shared, joined, onBroadcast }));
        },
        signal: new AbortController().signal,
      });
      expect(status).toBe('finished');
      await personal!.finish(true);
      await personal!.close();
      return { ...last!, rounds };
    }),
  );
}

const PLAIN = { kind: 'none', coordinatorSeesUpdates: true } as const;
const CASES: readonly {
  readonly named: string;
  readonly digits: number;
  readonly terms: Partial<PlanDraft>;
  readonly from?: PersonalTerms['from'];
}[] = [
  { named: 'fedavg, in the open', digits: 6, terms: { aggregation: PLAIN } },
  { named: 'fine-tuned', digits: 6, terms: { aggregation: PLAIN }, from: 'global' },
  { named: 'scaffold', digits: 6, terms: { aggregation: PLAIN, strategy: { name: 'scaffold' } } },
  { named: 'fedadam', digits: 6, terms: { aggregation: PLAIN, strategy: { name: 'fedadam' } } },
  {
    named: 'pairwise',
    // The global model is off by the rounding to 16 bits.
    digits: 3,
    terms: { aggregation: { kind: 'pairwise', range: 5, mostRows: 50 } },
  },
];

it.each(CASES)(
  'is the model that the simulation has: $named',
  async ({ digits, terms, from = 'own' }) => {
    const at = await startFederation({
      ...terms,
      local: LOCAL,
      rounds: ROUNDS,
      sites: { minimum: 4 },
    });
    const lines = hospitals(1, 30);
    const sites = await Promise.all(lines.map((each) => rowsOf(at, each)));
    const live = await trained(at, sites, { pull: 0.3, from });

    const model = readModel(await readArtifact(at.artifacts, at.draft.model.digest));
    const { graded } = problemOf(model, { batch: LOCAL.batch });
    const [first] = await at.coordinator.list();
    const strategy = strategyOfPlan(first!.plan);
    const steps = {
      ...LOCAL,
      backend: nativeBackend,
      rows: (await rowsOf(at, lines.flat())).rows,
      mask: MASK,
      seed: 0,
    };
    const personal = await openPersonal(graded, 0.3, steps, from);
    const all = Uint32Array.from({ length: 120 }, (_each, row) => row);
    await simulate(federatedModel(graded, strategy.site), {
      ...steps,
      strategy,
      rounds: ROUNDS,
      sites: [0, 30, 60, 90].map((start) => all.slice(start, start + 30)),
      personal,
    });
    for (const [site, { own, rounds }] of live.entries()) {
      expect(rounds).toEqual([0, 1, 2, 3, 4]);
      const expected = personal.of(site)!;
      own.forEach((each, i) => expect(each).toBeCloseTo(expected[i]!, digits));
      // Another site's is another one.
      const other = personal.of((site + 1) % 4)!;
      expect(Math.abs(own[0]! - other[0]!)).toBeGreaterThan(0.05);
    }
    await personal.close();
  },
);

/** How often a model is right on rows that it was not trained on. */
async function accuracyOf(
  at: TestFederation,
  { rows }: SiteRows,
  models: readonly Float32Array[],
): Promise<number[]> {
  const model = readModel(await readArtifact(at.artifacts, at.draft.model.digest));
  const problem = problemOf(model, { batch: 20 });
  const { step, layout } = federatedModel(problem.graded, strategyOf('fedavg').site);
  const evaluator = await openEvaluator(problem.predicting, step, {
    backend: nativeBackend,
    data: rows,
    batch: 20,
    inputs: ['features'],
    output: problem.prediction,
  });
  const found: number[] = [];
  for (const each of models) {
    const predicted = await evaluator.predict(tensorsOf(layout, each));
    found.push(metricsOf(taskReport(problem, rows, predicted))['accuracy']!);
  }
  await evaluator.close();
  return found;
}

const TERMS: readonly PersonalTerms[] = [
  { pull: 0.1, from: 'own' },
  { pull: 0, from: 'own' },
  { pull: 0, from: 'global' },
];

it.each(TERMS)(
  'fits hospitals that differ better than the global model: λ = $pull, from $from',
  async (terms) => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const at = await startFederation({
        local: { ...LOCAL, steps: 60 },
        rounds: ROUNDS,
        sites: { minimum: 4 },
      });
      const lines = hospitals(seed, 140);
      const sites = await Promise.all(lines.map((each) => rowsOf(at, each.slice(0, 40))));
      const live = await trained(at, sites, terms);
      const margins = await Promise.all(
        live.map(async ({ own, global }, site) => {
          const tested = await rowsOf(at, lines[site]!.slice(40));
          const [byOwn, byGlobal] = await accuracyOf(at, tested, [own, global]);
          return [byOwn!, byOwn! - byGlobal!] as const;
        }),
      );
      const mean = margins.reduce((sum, [, margin]) => sum + margin, 0) / 4;
      expect(mean).toBeGreaterThan(0.3);
      for (const [byOwn] of margins) expect(byOwn).toBeGreaterThan(0.75);
    }
  },
);
