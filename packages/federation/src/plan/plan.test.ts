import { epsilonOf } from '@skein/train';
import { residueCount } from '@skein/train/federated';
import { describe, expect, it } from 'vitest';
import { describePlan } from '../site/describe-plan.ts';
import { draft, openPlan } from '../testing/plans.ts';
import { canonical, digestOf } from '@skein/api/canonical';
import { checkPlan } from './check.ts';
import { checkDraft, completePlan, draftFor, mechanismOf, thresholdOf } from './complete.ts';
import { encodingOf } from './encoding.ts';
import type { Plan, PlanDraft } from './plan.ts';
import type { PlannedHelper } from './terms.ts';
import { isBudgetSpent, mostReleases, spentAfter } from './spent.ts';

const refused = (reason: string): unknown =>
  expect.objectContaining({ code: 'PLAN_INVALID', message: expect.stringContaining(reason) });

const helper = (number: number): PlannedHelper => ({
  name: `helper ${number}`,
  identity: `${number}`.repeat(64),
  sealing: `${number + 4}`.repeat(64),
  proof: '0'.repeat(128),
});
const committee = (...helpers: PlannedHelper[]): Partial<PlanDraft> => ({
  aggregation: {
    kind: 'committee',
    helpers: helpers.length > 0 ? helpers : [helper(1), helper(2)],
  },
});

const filledWith = (fill: number): Partial<PlanDraft> => {
  const { data } = draft({});
  const [first, ...others] = data.features;
  return { data: { ...data, features: [{ ...first!, fill } as never, ...others] } };
};

const twice = { name: 'disease', kind: 'category' as const, classes: ['no', 'no'] };
const buffer = (updates: number) => ({ name: 'fedbuff', buffer: updates }) as const;

describe('a plan', () => {
  it('is refused as a whole where it is no object or has a field too many', () => {
    for (const none of [undefined, null] as unknown[] as PlanDraft[]) {
      expect(() => completePlan(none)).toThrow(refused('The plan is refused: Invalid input'));
    }
    const more = { ...draft({}), extra: 1 };
    expect(() => completePlan(more)).toThrow(refused('The plan is refused: Unrecognized key'));
  });

  it('has secure aggregation and patient-level privacy within the budget unless the draft asks for others', () => {
    const plan = completePlan(draft({ privacy: { mode: 'patient', denominator: 500 } }));
    expect(plan.aggregation).toMatchObject({ kind: 'pairwise', bits: 16 });
    expect(plan.sites.threshold).toBe(3);
    if (plan.privacy.mode === 'none') throw new Error('no privacy');
    const spent = epsilonOf([mechanismOf(plan.privacy, plan.rounds)], plan.privacy.delta);
    expect(spent.epsilon).toBeLessThanOrEqual(1);
    expect(spent.epsilon).toBeGreaterThan(0.99);
  });

  it.each<[string, Partial<PlanDraft>, Partial<Plan['local']>, object]>([
    // Each row adds a gradient of the norm 2 at most, and no site has more rows than all together.
    [
      'patient',
      { privacy: { mode: 'patient', clip: 2, noise: 9, denominator: 500 } },
      {},
      { range: 1000 },
    ],
    [
      'client',
      { privacy: { mode: 'client', clip: 2, noise: 9 } },
      { learningRate: 0.1 },
      { range: 2 },
    ],
    ['none', { privacy: { mode: 'none' } }, { learningRate: 0.1 }, { range: 1, mostRows: 10_000 }],
    [
      'patient',
      {
        privacy: { mode: 'patient', noise: 9, denominator: 500 },
        aggregation: { kind: 'pairwise', range: 200 },
      },
      {},
      { range: 200 },
    ],
  ])(
    'with privacy %s has the rates and ranges that are read, and no others: %j',
    (_, more, local, encoding) => {
      const plan = completePlan(draft(more));
      expect(plan.local).toEqual({ steps: 1, ...local });
      expect(plan.aggregation).toEqual({ kind: 'pairwise', bits: 16, ...encoding });
      expect(completePlan(plan)).toEqual(plan);
    },
  );

  it('is refused when it comes without a rate or a range that is read', () => {
    const { local: _, ...rest } = completePlan(draft({ privacy: { mode: 'none' } }));
    expect(() => checkPlan(rest)).toThrow(refused('local.learningRate is missing'));
    const aggregation = { kind: 'pairwise', range: 1 };
    expect(() => checkPlan({ ...openPlan(), aggregation })).toThrow(
      refused('aggregation.mostRows is missing'),
    );
    expect(() => checkPlan({ ...openPlan(), aggregation: { kind: 'pairwise' } })).toThrow(
      refused('aggregation.range'),
    );
  });

  it('asks for two thirds of the sites', () => {
    expect([2, 3, 4, 6, 100].map(thresholdOf)).toEqual([2, 3, 3, 5, 67]);
  });

  it('takes its task from the target, and no other one', () => {
    const { task: _, name, model: __, ...terms } = draft();
    const { features } = terms.data;
    const of = (target: PlanDraft['data']['target'], more: object) =>
      checkDraft({ ...terms, data: { features, target }, ...more }, name);
    const cases: readonly [PlanDraft['task'], PlanDraft['data']['target']][] = [
      ['binary', terms.data.target],
      ['regression', { name: 'pressure', kind: 'number', low: 60, high: 220 }],
      ['classification', { name: 'grade', kind: 'category', classes: ['0', '1', '2'] }],
    ];
    for (const [task, target] of cases) {
      of(target, {});
      of(target, { task });
    }
    expect(() => of(terms.data.target, { task: 'regression' })).toThrow(
      refused('is regression, and data.target is a binary target'),
    );
  });

  it('takes its name, its model and its task from the model, and no others', () => {
    const { task: _, name, model, ...terms } = draft();
    expect(draftFor({ name, task: 'binary', model }, { ...terms, name, task: 'binary' })).toEqual({
      ...terms,
      name,
      task: 'binary',
      model,
    });
    expect(() => draftFor({ name, model }, { ...terms, name: 'study 7' })).toThrow(
      refused(`its name is "study 7", and follows from the model, where it is "${name}"`),
    );
    expect(() => draftFor({ name, task: 'binary' }, { ...terms, task: 'regression' })).toThrow(
      refused('its task is "regression", and follows from the model, where it is "binary"'),
    );
    const other = { ...model, digest: 'f'.repeat(64) };
    expect(() => checkDraft({ ...terms, model: other }, name)).toThrow(
      refused('its model is that which the federation trains: leave it out'),
    );
  });

  it.each<[string, Partial<PlanDraft>]>([
    ['is regression, and data.target is a binary target', { task: 'regression' }],
    ['privacy.denominator is missing', { privacy: { mode: 'patient' } }],
    ['strategy.learningRate: Too big', { strategy: { name: 'fedsgd', learningRate: 1e99 } }],
    ['local.learningRate: Too big', { local: { learningRate: 1e10 } }],
    ['coordinatorSeesUpdates', { aggregation: { kind: 'none' } as never }],
    [
      'privacy patient splits its noise over the sites or the helpers, and aggregation none',
      { aggregation: { kind: 'none', coordinatorSeesUpdates: true } },
    ],
    ['local.steps must be 1', { local: { steps: 5 } }],
    ['local.batch is not read with privacy patient', { local: { batch: 8 } }],
    ['local.learningRate is not read with privacy patient', { local: { learningRate: 0.1 } }],
    [
      'aggregation.mostRows is not read with privacy',
      { aggregation: { kind: 'pairwise', mostRows: 500 } },
    ],
    ['sites.threshold 5 is above sites.minimum 4', { sites: { minimum: 4, threshold: 5 } }],
    ['sites.threshold is not above half', { sites: { minimum: 4, threshold: 2 } }],
    ['strategy scaffold corrects the drift of several steps', { strategy: { name: 'scaffold' } }],
    [
      'and aggregation pairwise sends a part of it: leave out aggregation.share',
      {
        strategy: { name: 'scaffold' },
        privacy: { mode: 'none' },
        aggregation: { kind: 'pairwise', share: 0.5 },
      },
    ],
    [
      'aggregation.robust krum needs the updates of 5 sites, and sites.threshold is 3',
      {
        privacy: { mode: 'none' },
        strategy: { name: 'fedavg' },
        aggregation: {
          kind: 'none',
          coordinatorSeesUpdates: true,
          robust: { name: 'krum', dishonest: 1 },
        },
      },
    ],
    ['name: must not have control characters', { name: 'heart\nprivacy  ε ≤ 0.01' }],
    ['0.name: must not have control', committee({ ...helper(1), name: '\u202Elesab' }, helper(2))],
    ['"disease" of data has a category twice', { data: { ...draft().data, target: twice } }],
    ['collusion.sites leaves no honest', { collusion: { sites: 3 } }],
    ['the fill of "age" is -0.1, which is not within its range of 0 to 100', filledWith(-0.1)],
    ['the fill of "age" is 101, which is not within', filledWith(101)],
    ['sites.maximum is above 255', { sites: { minimum: 4, maximum: 300 } }],
    ['aggregation.helpers', { aggregation: { kind: 'committee', helpers: [helper(1)] } }],
    ['has a name twice', committee(helper(1), { ...helper(2), name: 'helper 1' })],
    ['has a key twice', committee(helper(1), { ...helper(2), sealing: helper(1).identity })],
    ['32 bytes in hex', committee(helper(1), { ...helper(2), identity: 'ab' })],
    ['leaves no honest one of 2 helpers', { ...committee(), collusion: { helpers: 2 } }],
    [
      'aggregation.repeatWithOthers is not read with privacy',
      {
        aggregation: {
          kind: 'committee',
          helpers: [helper(1), helper(2)],
          repeatWithOthers: true,
        },
      },
    ],
    ['collusion.helpers needs aggregation committee', { collusion: { helpers: 1 } }],
    ['rounds', { rounds: 0 }],
    ['strategy.learningRate', { strategy: { name: 'fedsgd', learningRate: 1e300 } }],
    ['strategy.mu', { strategy: { name: 'fedprox', mu: 1e39 } }],
    ['privacy.clip', { privacy: { mode: 'patient', denominator: 500, clip: 1e-300 } }],
    ['aggregation.range', { privacy: { mode: 'patient', denominator: 500, clip: 1e38, noise: 9 } }],
    [
      'aggregation pairwise has masks that cancel only between sites of the same round: take aggregation committee',
      { strategy: buffer(3) },
    ],
    [
      'aggregation none takes the updates of one round: take aggregation committee',
      {
        strategy: buffer(3),
        privacy: { mode: 'none' },
        aggregation: { kind: 'none', coordinatorSeesUpdates: true },
      },
    ],
    [
      'strategy.buffer 2 is below sites.threshold 3',
      { ...committee(), strategy: buffer(2), sites: { minimum: 4, threshold: 3 } },
    ],
    ['strategy.buffer 5 is above sites.minimum 4', { ...committee(), strategy: buffer(5) }],
    [
      'privacy.sampling poisson chooses the sites of each sum by a secret coin: take privacy.sampling all',
      {
        ...committee(),
        strategy: buffer(3),
        privacy: { mode: 'client', noise: 9, sampling: { kind: 'poisson', rate: 0.1 } },
      },
    ],
    [
      'and aggregation committee holds it to the sites of its first sum without privacy: set aggregation.repeatWithOthers to true',
      { ...committee(), strategy: buffer(3), privacy: { mode: 'none' } },
    ],
  ])('is refused: %s', (reason, more) => {
    expect(() => completePlan(draft(more))).toThrow(refused(reason));
  });

  it('protects patients by default, and whole sites where helpers sum for devices', () => {
    const sites = { minimum: 200, maximum: 300 };
    const devices = completePlan(
      draft({ ...committee(), privacy: undefined, sites, strategy: { name: 'fedavg' } }),
    );
    expect(devices.privacy).toMatchObject({ mode: 'client', epsilon: 1, denominator: 200 });
    expect(() => completePlan(draft({ privacy: undefined }))).toThrow(
      refused('privacy.denominator is missing'),
    );
  });

  it('counts each site in every buffer, divides by a full one, and has capacity for no more', () => {
    const of = (more: Partial<PlanDraft>) =>
      completePlan(
        draft({
          ...committee(),
          privacy: { mode: 'client', epsilon: 1 },
          sites: { minimum: 200, maximum: 4000 },
          rounds: 20,
          ...more,
        }),
      );
    const plan = of({ strategy: buffer(50) });
    expect(plan.strategy).toMatchObject({ staleness: 10, learningRate: 1 });
    expect(plan.sites.threshold).toBe(34);
    const { privacy } = of({ strategy: { name: 'fedavg' } });
    // The noise of all rounds of a site that is in each round.
    expect(plan.privacy).toEqual({ ...privacy, denominator: 50 });
    expect(encodingOf(plan, 14).sites).toBe(50);
    expect(encodingOf(of({ strategy: { name: 'fedavg' } }), 14).sites).toBe(4000);
  });

  it('needs less noise where sites are in a sum by chance, and divides by their mean number', () => {
    const of = (more: object) =>
      completePlan(
        draft({
          privacy: { mode: 'client', epsilon: 1, ...more },
          local: { learningRate: 0.1 },
          sites: { minimum: 200, maximum: 250 },
          rounds: 20,
        }),
      );
    const [all, some] = [of({}), of({ sampling: { kind: 'poisson', rate: 0.1 } })];
    expect(some.privacy).toMatchObject({ denominator: 20 });
    const noiseOf = ({ privacy }: Plan) => (privacy.mode === 'none' ? 0 : privacy.noise);
    expect(noiseOf(some)).toBeLessThan(noiseOf(all) / 2);
    const mechanism = {
      kind: 'discrete',
      noise: noiseOf(some),
      sampling: { kind: 'poisson', rate: 0.1 },
      steps: 20,
    } as const;
    // Against another site, which can subtract its own share.
    expect(spentAfter(some, 20)[1]).toEqual({
      colluding: 1,
      epsilon: epsilonOf([mechanism], 1e-3).epsilon,
    });
  });

  it('needs the noise of one vector for scaffold, whose control variates follow from the sum', () => {
    const of = (name: 'fedavg' | 'scaffold') =>
      completePlan(
        draft({
          strategy: { name },
          privacy: { mode: 'client', epsilon: 1 },
          local: { learningRate: 0.1 },
          sites: { minimum: 50 },
        }),
      );
    const [fedavg, scaffold] = [of('fedavg'), of('scaffold')];
    expect(scaffold.privacy).toEqual(fedavg.privacy);
    expect(spentAfter(scaffold, 3)).toEqual(spentAfter(fedavg, 3));
    expect(residueCount(encodingOf(scaffold, scaffold.model.parameters))).toBe(14);
    expect(describePlan(scaffold).leaves).toEqual(describePlan(fedavg).leaves);
    expect(describePlan(scaffold).stays.at(-1)).toContain('its own gradient');
  });

  it('keeps its budget against each of its sites, which can subtract its own share of the noise', () => {
    const collusionOf = (more: Partial<PlanDraft>) => completePlan(draft(more)).collusion;
    expect(collusionOf({})).toEqual({ sites: 1 });
    expect(collusionOf({ collusion: { sites: 0 } })).toEqual({ sites: 0 });
    expect(collusionOf({ privacy: { mode: 'none' } })).toEqual({ sites: 0 });
    const plan = completePlan(draft({ sites: { minimum: 2 } }));
    const { variance } = encodingOf(plan, 4).noise!;
    const { variance: alone } = encodingOf({ ...plan, collusion: { sites: 0 } }, 4).noise!;
    // With two sites, each adds the whole noise, not half of it.
    expect(variance / alone).toBeCloseTo(2, 3);
  });

  it('has its noise from helpers; all but one may collude unless the draft has another number', () => {
    const privacy = { mode: 'client', noise: 10 } as const;
    const three = committee(helper(1), helper(2), helper(3));
    const sites = { minimum: 1000, maximum: 10_000 };
    const careful = completePlan(draft({ ...three, privacy, sites }));
    expect(careful.collusion).toEqual({ sites: 0, helpers: 2 });
    const trusting = completePlan(
      draft({ ...three, privacy, sites, collusion: { sites: 600, helpers: 0 } }),
    );
    const variances = [careful, trusting].map((plan) => encodingOf(plan, 14).noise!);
    expect(variances.map(({ shares }) => shares)).toEqual([3, 3]);
    expect(variances[0]!.variance / variances[1]!.variance).toBeCloseTo(3, 6);
    // If two helpers reveal their noise, the noise of the third is the noise of the plan.
    const [alone, betrayed] = spentAfter(careful, 3);
    expect([alone!.colluding, betrayed!.colluding]).toEqual([0, 2]);
    expect(betrayed!.epsilon).toBeCloseTo(spentAfter(trusting, 3)[0]!.epsilon, 9);
    expect(alone!.epsilon).toBeLessThan(betrayed!.epsilon);
  });

  it('is refused with an unknown field, and with own scaling under privacy', () => {
    const plan = completePlan(draft());
    expect(() => checkPlan({ ...plan, backdoor: 1 })).toThrow(refused('backdoor'));
    const own = { ...plan, data: { ...plan.data, scaling: 'site' } };
    expect(() => checkPlan(own)).toThrow(refused('data.scaling'));
  });

  it.each([
    ['pairwise', { compression: 'top-k:0.01' }],
    ['committee', { topK: 0.01, helpers: [helper(1), helper(2)] }],
  ])('explains why a sum of kind %s has no top-k', (kind, more) => {
    const aggregation = { kind, ...more } as unknown as PlanDraft['aggregation'];
    expect(() => completePlan(draft({ aggregation }))).toThrow(
      refused('reveal the rows of a site'),
    );
  });

  it('has one digest whatever the order of its fields, and another for each change', async () => {
    const plan = openPlan();
    const turned = Object.fromEntries(Object.entries(plan).toReversed());
    expect(canonical(turned)).toBe(canonical(plan));
    expect(await digestOf(turned)).toBe(await digestOf(plan));
    expect(await digestOf({ ...plan, rounds: 4 })).not.toBe(await digestOf(plan));
  });
});

it('counts next to no noise as beyond the budget', () => {
  const privacy = { mode: 'patient', noise: 0.03, denominator: 500 } as const;
  const plan = completePlan(draft({ ...committee(), privacy, rounds: 64 }));
  expect(spentAfter(plan, 1).every(({ epsilon }) => epsilon > 100)).toBe(true);
  expect(isBudgetSpent(plan, 0)).toBe(true);
  expect(mostReleases(plan)).toBe(0);
});
