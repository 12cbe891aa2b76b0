/** Server rules and site rules against numbers that are worked out by hand. */
import { seededRandom } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { nativeBackend } from '../../run/native-backend.ts';
import { linearRegression, regressionBatches } from '../../testing/models.ts';
import { dataset } from '../../data/dataset.ts';
import { federatedModel, openLocalTraining } from '../training/local-training.ts';
import { personalRule } from './site-rules.ts';
import { stalenessWeight, strategyOf } from './strategies.ts';
import { STRATEGY_NAMES, type StrategyName, type StrategyOptions } from './strategy.ts';

const vector = (...numbers: number[]) => Float32Array.from(numbers);

/** The parameters after two rounds with the mean updates [0.5, −1] and [0.25, 0.5]. */
function twoRounds(name: StrategyName, options: StrategyOptions): readonly number[] {
  const strategy = strategyOf(name, options);
  const first = strategy.apply(strategy.initial(vector(1, 2)), vector(2, -4), 4);
  return [...strategy.apply(first, vector(0.5, 1), 2).parameters];
}

describe('server rules', () => {
  it('follow the weighted mean', () => {
    expect(twoRounds('fedavg', {})).toEqual([1.75, 1.5]);
    expect(twoRounds('fedprox', { serverRate: 0.5 })).toEqual([1.375, 1.75]);
    // A public denominator in place of the weights 4 and 2.
    expect(twoRounds('fedavg', { denominator: 8 })).toEqual([1.3125, 1.625]);
    expect(twoRounds('fedbuff', { buffer: 2 })).toEqual([2.25, 0.5]);
  });

  it.each([
    ['fedadam', (v: number, d: number) => 0.99 * v + 0.01 * d * d],
    ['fedyogi', (v: number, d: number) => v - 0.01 * d * d * Math.sign(v - d * d)],
    ['fedadagrad', (v: number, d: number) => v + d * d],
  ] as const)('%s has the moments of the paper', (name, second) => {
    const expected = [1, 2].map((start, i) => {
      let [p, m, v] = [start, 0, 1e-6];
      for (const update of [
        [0.5, -1],
        [0.25, 0.5],
      ]) {
        m = 0.9 * m + 0.1 * update[i]!;
        v = second(v, update[i]!);
        p += (0.1 * m) / (Math.sqrt(v) + 1e-3);
      }
      return p;
    });
    const found = twoRounds(name, { serverRate: 0.1 });
    expected.forEach((each, i) => expect(found[i]).toBeCloseTo(each, 5));
  });

  it('move the control variate of SCAFFOLD by the share that took part', () => {
    const strategy = strategyOf('scaffold');
    const of = { part: 2, before: 8, after: 8 };
    const next = strategy.apply(strategy.initial(vector(1)), vector(2, 4), 2, of);
    expect([...strategy.broadcast(next)]).toEqual([2, 0.5]);
  });

  it('compute the change of control variates from the change of parameters, where all sites go the same distance', () => {
    const [sent, computed] = [strategyOf('scaffold'), strategyOf('scaffold', { distance: 0.5 })];
    let [one, other] = [sent.initial(vector(1)), computed.initial(vector(1))];
    // Sites of the weights 3 and 1, then another one of 2 that joins, then the first two again.
    for (const [part, before, after, sum] of [
      [4, 0, 4, 6],
      [2, 4, 6, -3],
      [4, 6, 6, 1],
    ] as const) {
      const control = one.slots['control']![0]!;
      const changes = -part * control - sum / 0.5;
      const of = { part, before, after };
      // A public divisor of updates is none of control variates.
      one = sent.apply(one, vector(sum, changes), part, of);
      other = computed.apply(other, vector(sum), part, of);
      expect(one.slots['control']![0]).toBeCloseTo((before * control + changes) / after, 6);
    }
    expect(other.parameters).toEqual(one.parameters);
    expect(other.slots['control']![0]).toBeCloseTo(one.slots['control']![0]!, 6);
    expect(one.slots['control']![0]).not.toBeCloseTo(0, 1);
    expect(() => strategyOf('scaffold', { distance: 0 })).toThrow(RangeError);
    expect(() => strategyOf('scaffold', { uncorrected: true })).toThrow(RangeError);
  });

  it('take absent sites to have the control variate of all, where SCAFFOLD sends no correction', () => {
    const strategy = strategyOf('scaffold', { distance: 0.5, uncorrected: true });
    const state = { ...strategy.initial(vector(1)), slots: { control: vector(0.5) } };
    // Two of ten, and one of them is new: their gradients are −2 and −4 in the mean −3.
    const next = strategy.apply(state, vector(3), 2, { part: 2, before: 9, after: 10 });
    expect([...strategy.broadcast(next)]).toEqual([2.5, Math.fround((8 * 0.5 - 6) / 10)]);
  });

  it('refuse sums that are not numbers, have no weight or another length', () => {
    const strategy = strategyOf('fedavg');
    const state = strategy.initial(vector(1, 2));
    expect(() => strategy.apply(state, vector(1, NaN), 1)).toThrow('Number 1 of the sum is NaN');
    expect(() => strategy.apply(state, vector(1, 1), 0)).toThrow('total weight 0');
    expect(() => strategy.apply(state, vector(1), 1)).toThrow('1 numbers, not 2');
    expect(() => strategyOf('fedbuff')).toThrow(RangeError);
    expect(() => strategyOf('fedsomething' as StrategyName)).toThrow('no strategy');
  });

  it('keep plain data, which a coordinator can store', () => {
    for (const name of STRATEGY_NAMES) {
      const strategy = strategyOf(name, { buffer: 3 });
      const state = strategy.initial(vector(1, 2));
      expect(structuredClone(state)).toEqual(state);
    }
  });
});

it('an old update counts less', () => {
  expect([0, 3, 8].map(stalenessWeight)).toEqual([1, 1 / 2, 1 / 3]);
});

/** A coordinator steps from the numbers furthest from zero alone to check those between them. */
it.each(STRATEGY_NAMES)('%s stays finite between numbers from which its step is finite', (name) => {
  const random = seededRandom(5);
  const strategy = strategyOf(name, { buffer: 2, distance: 0.5 });
  const isFinite = (parameters: Float32Array, update: Float32Array): boolean => {
    try {
      strategy.apply(strategy.initial(parameters), update, 1);
      return true;
    } catch {
      return false;
    }
  };
  const drawn = (most: number) =>
    Float32Array.from({ length: 8 }, () => (2 * random.next() - 1) * most);
  const furthest = (numbers: Float32Array) => {
    const most = Math.max(...numbers.map(Math.abs));
    return vector(most, -most);
  };
  const counts = { finite: 0, others: 0 };
  for (let i = 0; i < 2000; i++) {
    const [parameters, update] = [drawn(3.4e38), drawn(10 ** (18 + 20.5 * random.next()))];
    if (isFinite(furthest(parameters), furthest(update))) {
      counts.finite++;
      expect(isFinite(parameters, update)).toBe(true);
    } else counts.others++;
  }
  expect(counts.finite).toBeGreaterThan(20);
  expect(counts.others).toBeGreaterThan(20);
});

describe('site rules', () => {
  const { x, y } = regressionBatches.reduce(
    (all, batch) => ({
      x: [...all.x, ...new Float32Array(batch.get('x')!.bytes.slice().buffer)],
      y: [...all.y, ...new Float32Array(batch.get('y')!.bytes.slice().buffer)],
    }),
    { x: [] as number[], y: [] as number[] },
  );
  const rows = dataset({
    x: { type: 'float32', shape: [12, 2], bytes: new Uint8Array(Float32Array.from(x).buffer) },
    y: { type: 'float32', shape: [12, 1], bytes: new Uint8Array(Float32Array.from(y).buffer) },
  });
  const batches = [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9, 10, 11],
    [0, 1, 2, 3],
  ];
  const rate = 0.05;

  /** The steps in plain numbers; `pull` is added to each gradient. Parameters: b, w₀, w₁ by name order of the layout. */
  function plainSteps(start: readonly number[], pull: (p: number, i: number) => number): number[] {
    const p = [...start];
    for (const batch of batches) {
      const g = [0, 0, 0];
      for (const row of batch) {
        const [x0, x1] = [x[2 * row]!, x[2 * row + 1]!];
        const error = 2 * (p[0]! * x0 + p[1]! * x1 + p[2]! - y[row]!);
        [error * x0, error * x1, error].forEach((each, i) => (g[i] = g[i]! + each / batch.length));
      }
      p.forEach((each, i) => (p[i] = each - rate * (g[i]! + pull(each, i))));
    }
    return p;
  }

  async function steps(
    name: StrategyName,
    broadcast: Float32Array,
    memory?: Float32Array,
    options: StrategyOptions = {},
  ) {
    const strategy = strategyOf(name, { proximal: 0.7, ...options });
    const model = linearRegression();
    const prepared = federatedModel({ model, loss: 'loss' }, strategy.site);
    const site = await openLocalTraining(prepared, strategy.site, {
      backend: nativeBackend,
      rows,
      batch: 4,
      learningRate: rate,
      seed: 1,
    });
    expect(prepared.layout.kept.map((each) => each.name)).toEqual(['w', 'b']);
    const found = await site.localUpdate(broadcast, { number: 0, memory }, batches);
    await site.close();
    return found;
  }

  const start = [0.5, -1, 0.25];

  it('FedProx pulls to the global model', async () => {
    const { update, weight, steps: taken } = await steps('fedprox', vector(...start));
    const expected = plainSteps(start, (p, i) => 0.7 * (p - start[i]!));
    expected.forEach((each, i) => expect(update[i]).toBeCloseTo(each - start[i]!, 5));
    expect([weight, taken]).toEqual([12, 4]);
  });

  it('SCAFFOLD corrects by the control variates, and sends what its own changed', async () => {
    const [control, own] = [vector(0.1, 0.2, -0.3), vector(-0.2, 0.1, 0.4)];
    const found = await steps('scaffold', vector(...start, ...control), own);
    const expected = plainSteps(start, (_, i) => control[i]! - own[i]!);
    expected.forEach((each, i) => {
      const delta = each - start[i]!;
      const next = own[i]! - control[i]! - delta / (4 * rate);
      expect(found.update[i]).toBeCloseTo(delta, 5);
      expect(found.update[3 + i]).toBeCloseTo(next - own[i]!, 4);
      expect(found.memory![i]).toBeCloseTo(next, 4);
    });
  });

  it('SCAFFOLD sends one vector where the distance is known, with its correction or without', async () => {
    const [control, own] = [vector(0.1, 0.2, -0.3), vector(-0.2, 0.1, 0.4)];
    const distance = 4 * rate;
    const broadcast = vector(...start, ...control);
    const [both, one, bare] = [
      await steps('scaffold', broadcast, own),
      await steps('scaffold', broadcast, own, { distance }),
      await steps('scaffold', broadcast, own, { distance, uncorrected: true }),
    ];
    expect(one.update).toEqual(both.update.slice(0, 3));
    expect(one.memory).toEqual(both.memory);
    bare.update.forEach((each, i) => {
      expect(each).toBeCloseTo(both.update[i]! + distance * (control[i]! - own[i]!), 6);
      expect(bare.memory![i]).toBeCloseTo(both.memory![i]!, 5);
    });
  });

  it('personalisation stays between its own rows and the global model', async () => {
    const rule = personalRule(0.7);
    const prepared = federatedModel({ model: linearRegression(), loss: 'loss' }, rule);
    const site = await openLocalTraining(prepared, rule, {
      backend: nativeBackend,
      rows,
      batch: 4,
      learningRate: rate,
      seed: 1,
    });
    const global = [0.1, 0.2, 0.3];
    const found = await site.localUpdate(vector(...start, ...global), { number: 0 }, batches);
    await site.close();
    const expected = plainSteps(start, (p, i) => 0.7 * (p - global[i]!));
    expected.forEach((each, i) => expect(found.update[i]).toBeCloseTo(each - start[i]!, 5));
  });

  it.each([
    ['fedavg', 3e38, 'parameters would be Infinity'],
    ['fedadam', 3e38, 'variance would be Infinity'],
  ] as const)('refuse a next state that is not finite: %s', (name, number, message) => {
    const strategy = strategyOf(name);
    const before = strategy.initial(vector(number));
    expect(() => strategy.apply(before, vector(number), 1)).toThrow(message);
  });

  it('refuse a broadcast of another strategy', async () => {
    await expect(steps('scaffold', vector(...start))).rejects.toThrow('3 numbers, not 6');
  });
});
