import { mlp, withLoss } from '@skein/onnx';
import { expect, it } from 'vitest';
import { dataset } from '../../data/dataset.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { moons } from '../../testing/models.ts';
import { federatedModel } from './local-training.ts';
import { equalSites, simulate, type SimulationOptions } from './simulate.ts';
import { strategyOf } from '../strategies/strategies.ts';
import type { StrategyName } from '../strategies/strategy.ts';

const ROWS = 240;

async function losses(name: StrategyName, options: Partial<SimulationOptions> = {}) {
  const strategy = strategyOf(name, { buffer: 60 });
  const graded = withLoss(mlp({ sizes: [2, 16, 2], seed: 2, batch: 6 }), {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
  const found: number[] = [];
  const weights: number[] = [];
  const state = await simulate(federatedModel(graded, strategy.site), {
    backend: nativeBackend,
    strategy,
    rows: dataset(moons(ROWS, 7)),
    sites: equalSites(ROWS, 24, 3),
    rounds: 25,
    batch: 6,
    mask: 'mask',
    learningRate: 0.2,
    seed: 1,
    sampled: 6,
    onRound: ({ loss, weight }) => {
      found.push(loss);
      weights.push(weight);
    },
    ...options,
  });
  return { found, weights, state };
}

it.each(['fedavg', 'fedprox', 'scaffold', 'fedbuff'] as const)(
  '%s learns over 24 sites when six train in a round',
  async (name) => {
    const { found, weights, state } = await losses(name);
    expect(found.at(-1)!).toBeLessThan(found[0]! * 0.7);
    expect(new Set(weights)).toEqual(new Set([60]));
    expect(state.round).toBe(25);
  },
);

it('learns from updates of older models too, which count less', async () => {
  const [now, late, again] = [
    await losses('fedbuff'),
    await losses('fedbuff', { late: 4 }),
    await losses('fedbuff', { late: 4 }),
  ];
  expect(late.found.at(-1)!).toBeLessThan(late.found[0]! * 0.8);
  expect(late.found.at(-1)!).toBeGreaterThan(now.found.at(-1)!);
  expect(late.state.parameters).toEqual(again.state.parameters);
  expect(Math.min(...late.weights)).toBeLessThan(60);
});

it('a seed gives the same bits, and another seed others', async () => {
  const [one, again, other] = [
    await losses('fedavg', { rounds: 3 }),
    await losses('fedavg', { rounds: 3 }),
    await losses('fedavg', { rounds: 3, seed: 2 }),
  ];
  expect(one.state.parameters).toEqual(again.state.parameters);
  expect(one.state.parameters).not.toEqual(other.state.parameters);
});

it('ends when its signal aborts', async () => {
  const { state } = await losses('fedavg', { onRound: ({ round }) => round < 4 });
  expect(state.round).toBe(4);
});

it('refuses sites without rows, and more sites than there are', async () => {
  await expect(losses('fedavg', { sites: [new Uint32Array(0)], sampled: 1 })).rejects.toThrow(
    'Site 0',
  );
  await expect(losses('fedavg', { sampled: 25 })).rejects.toThrow('25 of 24');
});
