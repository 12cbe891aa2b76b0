/** Sensitivities from gradients against layers that are quantised alone and run, and plans against budgets. */
import { describe, expect, it } from 'vitest';
import { activation } from '../../layers/activation.ts';
import { conv, globalAveragePool } from '../../layers/conv.ts';
import { dense } from '../../layers/dense.ts';
import { sequential } from '../../layers/sequential.ts';
import type { Model } from '../../model/model.ts';
import { seededRandom } from '../../tensor/random.ts';
import { tensor, type TensorMap } from '../../tensor/tensor.ts';
import { observe, rangesOf } from '../calibration/calibrate.ts';
import { withOpen } from '../evaluator.ts';
import { joinBias } from '../join-bias.ts';
import { layersOf } from '../layers.ts';
import { FORMS, permits, planAll } from '../plan.ts';
import { quantise, valuesToCalibrate } from '../rewrite.ts';
import { native } from '../testing/evaluators.ts';
import { planWithin, type Step } from './budget.ts';
import { buildVariant } from './build.ts';
import { answersOf, differenceOf } from './compare.ts';
import { RECIPES, stepsOf } from './recipes.ts';
import { sensitivityOf } from './sensitivity.ts';

const model = joinBias(
  sequential({
    input: { shape: [3, 8, 8] },
    layers: [
      conv({ filters: 24, kernel: 3, activation: 'relu' }),
      conv({ filters: 16, kernel: 3 }),
      activation('tanh'),
      globalAveragePool(),
      dense({ units: 64, activation: 'relu' }),
      dense({ units: 10 }),
    ],
    seed: 3,
    opset: 21,
  }),
);
const layers = layersOf(model);
const random = seededRandom(8);
const samples = Array.from({ length: 6 }, (): TensorMap => {
  const numbers = Float32Array.from({ length: 16 * 192 }, () => 2 * random.next() - 1);
  return new Map([['x', tensor('float32', [16, 3, 8, 8], numbers)]]);
});
const options = { samples, evaluator: native, weightBits: 8 } as const;

async function errorOf(made: Model): Promise<number> {
  const [found, wanted] = await Promise.all(
    [made, model].map((each) => withOpen(native, each, (open) => answersOf(open, samples))),
  );
  return differenceOf(found!, wanted!).error;
}

describe('the sensitivity of a layer', () => {
  it('is near the error of the layer alone, in every form', { timeout: 60_000 }, async () => {
    const plan = planAll(layers, 'static');
    const observed = await observe(model, valuesToCalibrate(model, plan), samples, native);
    const ranges = rangesOf(observed, 'min-max');
    const { method, costs } = await sensitivityOf(model, layers, { ...options, ranges });
    expect(method).toBe('gradients');
    for (const layer of layers) {
      for (const form of FORMS) {
        if (form === 'float' || !permits(layer, form)) continue;
        const alone = new Map([[layer.name, form]]);
        const wanted =
          form === 'static'
            ? rangesOf(
                await observe(model, valuesToCalibrate(model, alone), samples, native),
                'min-max',
              )
            : undefined;
        const measured = await errorOf(quantise(model, alone, wanted && { ranges: wanted }));
        const ratio = Math.sqrt(costs.get(layer.name)!.get(form)!) / measured;
        // Dynamic ranges of activations are not in the estimate.
        const least = form === 'dynamic' ? 0.2 : 0.5;
        expect(ratio, `${layer.name} ${form}`).toBeGreaterThan(least);
        expect(ratio, `${layer.name} ${form}`).toBeLessThan(2);
      }
    }
  });

  it('is measured by runs where a node has no gradient', async () => {
    const { node } = model.graph!;
    const own = node.find(({ opType }) => opType === 'Tanh')!;
    const broken = {
      ...model,
      graph: {
        ...model.graph!,
        node: node.map((each) => (each === own ? { ...own, opType: 'Shrink' } : each)),
      },
    } as Model;
    const { method, costs } = await sensitivityOf(broken, layersOf(broken), options);
    expect(method).toBe('runs');
    const names = layers.map(({ name }) => name);
    expect([...costs.keys()]).toEqual(names);
    for (const name of names) {
      expect(costs.get(name)!.get('stored4')!).toBeGreaterThan(costs.get(name)!.get('stored8')!);
    }
  });
});

describe('a plan', () => {
  const step = (form: Step['form'], bytes: number, cost: number): Step => ({ form, bytes, cost });
  const two = new Map([
    ['a', [step('stored4', 10, 9), step('stored8', 20, 1), step('float', 80, 0)]],
    ['b', [step('stored4', 10, 7), step('stored8', 100, 1), step('float', 400, 0)]],
  ]);

  it('upgrades what gains most per byte until the error is within its budget', () => {
    expect([...planWithin(two, { error: 4 }).values()]).toEqual(['stored4', 'stored4']);
    expect([...planWithin(two, { error: 3 }).values()]).toEqual(['stored8', 'stored4']);
    expect([...planWithin(two, { error: Math.SQRT2 }).values()]).toEqual(['stored8', 'stored8']);
    expect([...planWithin(two, { error: 0 }).values()]).toEqual(['float', 'float']);
  });

  it('spends the bytes that are left', () => {
    expect([...planWithin(two, { error: 4, bytes: 29 }).values()]).toEqual(['stored4', 'stored4']);
    expect([...planWithin(two, { error: 4, bytes: 30 }).values()]).toEqual(['stored8', 'stored4']);
    expect([...planWithin(two, { error: 4, bytes: 120 }).values()]).toEqual(['stored8', 'stored8']);
  });
});

describe('a variant within a budget', () => {
  const build = async (name: string, maxError: number, maxBytes?: number) => {
    const sensitivity = await sensitivityOf(model, layers, options);
    const recipe = RECIPES.find((each) => each.name === name)!;
    const built = await buildVariant(recipe, {
      ...options,
      base: model,
      layers,
      sensitivity,
      calibration: samples,
      maxError,
      maxBytes,
    });
    return {
      ...built,
      error: await errorOf(built.model),
      steps: stepsOf(recipe, layers, sensitivity),
    };
  };
  const bitsIn = (plan: ReadonlyMap<string, string>) =>
    [...plan.values()].map((form) => form.slice(-1));

  it(
    'keeps sensitive layers of int4 in 8 bits, and the others in 4',
    { timeout: 60_000 },
    async () => {
      const loose = await build('int4', 1);
      expect(new Set(bitsIn(loose.plan))).toEqual(new Set(['4']));
      const strict = await build('int4', loose.error * 0.7);
      expect(strict.error).toBeLessThanOrEqual(loose.error * 0.7);
      expect(new Set(bitsIn(strict.plan))).toEqual(new Set(['4', '8']));
      // The layers in 8 bits are those that gain most per byte.
      const gains = [...strict.steps].map(([name, [small, exact]]) => ({
        name,
        gain: (small!.cost - exact!.cost) / (exact!.bytes - small!.bytes),
      }));
      const best = gains.toSorted((a, b) => b.gain - a.gain)[0]!.name;
      expect(strict.plan.get(best)).toMatch(/8$/);
    },
  );

  it(
    'leaves layers of int8 in floats where integers cost too much',
    { timeout: 60_000 },
    async () => {
      const loose = await build('int8', 1);
      const strict = await build('int8', loose.error * 0.8);
      expect(strict.error).toBeLessThanOrEqual(loose.error * 0.8);
      expect([...strict.plan.values()]).toContain('static');
      expect(new Set(strict.plan.values()).size).toBeGreaterThan(1);
    },
  );
});
