import { type Backend, secureRandom, type SecureRandom } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import { readSiteRows } from '../site-rows.ts';
import { trainedPlan } from '../testing/trained-plan.ts';
import type { Task } from '../answers.ts';
import { readLast, type Carried } from './carried.ts';
import { plainWork } from './plain-work.ts';
import { openTraining, type TrainingOptions } from './training.ts';

const HELPERS = ['1', '2'].map((digit) => ({
  name: `helper ${digit}`,
  identity: digit.repeat(64),
  sealing: `${Number(digit) + 4}`.repeat(64),
  proof: '0'.repeat(128),
}));
const ROWS = new TextEncoder().encode('age,sex,disease\n40,1,1\n50,0,0\n60,0,1\n70,1,0\n');

function kept(): Carried {
  let stored: Uint8Array | undefined;
  return {
    load: async () => stored,
    save: async (bytes) => void (stored = bytes.slice()),
  };
}

/** The training of a site over `ROWS`, by a plan with these terms. */
async function trainingOf(
  terms: Parameters<typeof trainedPlan>[0],
  more: Partial<Pick<TrainingOptions, 'carried' | 'random' | 'backend' | 'onFault'>> = {},
) {
  const { plan, model } = await trainedPlan(terms);
  const rows = await readSiteRows(plan.data, ROWS);
  return openTraining({ plan, model, rows, backend: nativeBackend, carried: kept(), ...more });
}

const PARAMETERS = new Float32Array(4).fill(0.1);

it('continues with the control variate of SCAFFOLD in another process, and begins a round again as before', async () => {
  const { plan, model } = await trainedPlan({
    strategy: { name: 'scaffold' },
    local: { steps: 3 },
  });
  const rows = await readSiteRows(plan.data, ROWS);
  const open = (carried: Carried) =>
    openTraining({ plan, model, rows, backend: nativeBackend, carried });
  const broadcast = Float32Array.from({ length: 8 }, (_, i) => i / 10);
  const ofRounds = async (numbers: readonly number[], next: () => ReturnType<typeof open>) => {
    const updates: number[][] = [];
    for (const round of numbers) {
      updates.push(Array.from((await (await next()).update(round, broadcast)).numbers));
    }
    return updates;
  };
  const whole = await open(kept());
  const [first, second, third] = await ofRounds([0, 1, 2], async () => whole);
  const carried = kept();
  // Another process for each, and round 1 is tried twice.
  expect(await ofRounds([0, 1, 1, 2], () => open(carried))).toEqual([first, second, second, third]);
  expect(await ofRounds([1], () => open(kept()))).not.toEqual([second]);
});

it('begins a round as the last one where its update was not in that sum', async () => {
  const broadcast = Float32Array.from({ length: 8 }, (_, i) => i / 10);
  const terms = { strategy: { name: 'scaffold' }, local: { steps: 3 } } as const;
  /** The update of the last of these rounds. */
  const ofLast = async (rounds: readonly (readonly [round: number, summed?: number])[]) => {
    const training = await trainingOf(terms);
    let last: number[] = [];
    for (const [round, summed] of rounds) {
      last = Array.from((await training.update(round, broadcast, summed)).numbers);
    }
    return last;
  };
  const [alone, after] = [await ofLast([[2]]), await ofLast([[1], [2, 1]])];
  expect(alone).not.toEqual(after);
  expect(await ofLast([[1], [2, -1]])).toEqual(alone);
  expect(await ofLast([[0], [1, 0], [2, 0]])).toEqual(await ofLast([[0], [2, 0]]));
  // An older coordinator does not send it.
  expect(await ofLast([[1], [2]])).toEqual(after);
});

it.each(['1', 0.5, -2, 3, null])('refuses %j as the last round before 3', async (summed) => {
  const terms = { strategy: { name: 'scaffold' } } as const;
  const work = plainWork((await trainedPlan(terms)).plan, await trainingOf(terms));
  const place = { round: 3, attempt: 0, phase: 'train' };
  const payload = new Uint8Array(8 * 4);
  const asked = (fields: Task['fields']) => work({ place, fields, payload, state: undefined });
  await expect(asked({ summed })).rejects.toMatchObject({ code: 'FEDERATION_PROTOCOL' });
  await expect(asked({ summed: 2 })).resolves.toMatchObject({ fields: { weight: 4 } });
});

it('continues from its part of a private sum: clipped, or nothing', async () => {
  const clip = 0.01;
  const broadcast = Float32Array.from({ length: 8 }, (_, i) => i / 10);
  const privateOf = async (sampling: object, random?: SecureRandom) => {
    const carried = kept();
    const training = await trainingOf(
      {
        strategy: { name: 'scaffold' },
        local: { steps: 2, learningRate: 0.1 },
        privacy: { mode: 'client', clip, noise: 20, ...sampling },
        aggregation: { kind: 'committee', helpers: HELPERS },
        sites: { minimum: 6 },
      },
      { carried, ...(random === undefined ? {} : { random }) },
    );
    return { training, last: async () => readLast((await carried.load())!) };
  };
  const all = await privateOf({});
  const { numbers } = await all.training.update(0, broadcast);
  expect(numbers).toHaveLength(4);
  // Rounding to levels moves each number by one of them.
  expect(Math.hypot(...Array.from(numbers))).toBeCloseTo(clip, 5);
  const { before, after } = await all.last();
  expect(before).toBeUndefined();
  // Its own gradient, whatever was corrected on the way.
  after.forEach((each, i) => expect(each).toBeCloseTo(-numbers[i]! / 0.2, 5));
  const coins = [0.9, 0.1, 0.9];
  const random: SecureRandom = { ...secureRandom(), unit: () => coins.shift()! };
  const sampled = await privateOf({ sampling: { kind: 'poisson', rate: 0.5 } }, random);
  await sampled.training.update(0, broadcast);
  expect((await sampled.last()).after).toEqual(new Float32Array(4));
  await sampled.training.update(1, broadcast);
  const first = await sampled.last();
  expect(first.after).not.toEqual(new Float32Array(4));
  await sampled.training.update(2, broadcast, 1);
  expect((await sampled.last()).after).toEqual(first.after);
});

it('clips the update of a site as a whole with privacy client, and does not weigh it by its rows', async () => {
  const updateOf = async (clip: number) => {
    const training = await trainingOf({
      privacy: { mode: 'client', clip, noise: 20 },
      aggregation: { kind: 'pairwise' },
      sites: { minimum: 4 },
    });
    const { numbers, weight } = await training.update(0, PARAMETERS);
    return { norm: Math.hypot(...Array.from(numbers)), weight };
  };
  const free = await updateOf(1000);
  const clipped = await updateOf(free.norm / 3);
  expect(clipped.norm).toBeCloseTo(free.norm / 3, 6);
  expect([free.weight, clipped.weight]).toEqual([1, 1]);
});

it('is in a sum with the probability of the plan, by a coin of its own, and trains in any case', async () => {
  const training = await trainingOf({
    privacy: { mode: 'client', noise: 20, sampling: { kind: 'poisson', rate: 0.3 } },
    aggregation: { kind: 'pairwise' },
    sites: { minimum: 4 },
  });
  const rounds = 600;
  let chosen = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { numbers, weight } = await training.update(round, PARAMETERS);
    expect([numbers.length, weight]).toEqual([4, 1]);
    if (Array.from(numbers).some((each) => each !== 0)) chosen += 1;
  }
  // Six deviations.
  expect(Math.abs(chosen / rounds - 0.3)).toBeLessThan(6 * Math.sqrt(0.21 / rounds));
});

it('draws the rows of a private step anew in each round, some rounds of them none', async () => {
  const training = await trainingOf({
    strategy: { name: 'fedsgd' },
    privacy: {
      mode: 'patient',
      noise: 20,
      denominator: 10,
      sampling: { kind: 'poisson', rate: 0.5 },
    },
    aggregation: { kind: 'pairwise' },
    local: {},
    sites: { minimum: 4 },
  });
  const seen = new Set<string>();
  for (let round = 0; round < 120; round += 1) {
    const { numbers } = await training.update(0, PARAMETERS);
    seen.add(Array.from(numbers, (each) => each.toFixed(5)).join());
  }
  // All 16 samples of four rows, but for a probability below 1e-2 that one of them is missing.
  expect(seen.size).toBeGreaterThan(10);
  expect(seen.size).toBeLessThanOrEqual(16);
});

it('adds zeros where its steps diverge, and notifies its operator alone', async () => {
  const faults: [string, number][] = [];
  const terms = {
    local: { steps: 3 },
    privacy: { mode: 'none' },
    aggregation: { kind: 'pairwise', range: 10, mostRows: 100 },
    sites: { minimum: 4 },
  } as const;
  const onFault = (fault: unknown, round: number): void =>
    void faults.push([(fault as Error).message, round]);
  const training = await trainingOf(terms, { onFault });
  const steep = Float32Array.of(3e38, 3e38, 3e38, 3e38);
  const { numbers, weight } = await training.update(7, steep);
  expect(Array.from(numbers)).toEqual([0, 0, 0, 0]);
  expect(weight).toBe(4);
  expect(faults).toEqual([['The loss is NaN at local step 0 of round 7.', 7]]);
  // The coordinator of a plain sum sees updates anyhow, and is notified.
  await expect((await trainingOf({ local: { steps: 3 } })).update(7, steep)).rejects.toThrow(
    'The loss is NaN',
  );
});

it('counts for as many rows as the plan allows, where it has more', async () => {
  const training = await trainingOf({
    privacy: { mode: 'none' },
    aggregation: { kind: 'pairwise', range: 10, mostRows: 3 },
    sites: { minimum: 4 },
  });
  expect((await training.update(0, PARAMETERS)).weight).toBe(3);
});

it('adds zeros of rows whose runs of the graph fail, in as many runs', async () => {
  const faults: unknown[] = [];
  let [runs, fails] = [0, true];
  const failing: Backend = {
    name: 'native',
    async open(...given) {
      const graph = await nativeBackend.open(...given);
      return {
        async run(...tensors) {
          runs += 1;
          const found = await graph.run(...tensors);
          if (fails) throw new Error('An index is out of bounds.');
          return found;
        },
        close: () => graph.close(),
      };
    },
  };
  const training = await trainingOf(
    {
      strategy: { name: 'fedsgd' },
      privacy: { mode: 'patient', noise: 20, denominator: 10 },
      aggregation: { kind: 'pairwise' },
      local: {},
      sites: { minimum: 4 },
    },
    { backend: failing, onFault: (fault) => faults.push(fault) },
  );
  const first = await training.update(0, PARAMETERS);
  expect(Array.from(first.numbers)).toEqual([0, 0, 0, 0]);
  const failed = runs;
  fails = false;
  const second = await training.update(1, PARAMETERS);
  expect(Math.hypot(...Array.from(second.numbers))).toBeGreaterThan(0.1);
  expect([runs, faults.length]).toEqual([2 * failed, 1]);
});

it('refuses a model that trains another count of numbers than the plan gives', async () => {
  const { plan, model } = await trainedPlan({ local: { steps: 1 } });
  const rows = await readSiteRows(plan.data, ROWS);
  const other = { ...plan, model: { ...plan.model, parameters: 5 } };
  const options = { plan: other, model, rows, backend: nativeBackend, carried: kept() };
  await expect(openTraining(options)).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
});
