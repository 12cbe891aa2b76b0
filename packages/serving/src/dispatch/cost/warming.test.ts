/** Against real models in ONNX Runtime. */
import {
  GraphBuilder,
  mlp,
  readModel,
  signatureOf,
  tensor,
  writeModel,
  type Model,
} from '@skein/onnx';
import { nativeRuntime, RuntimeFailure, type Session } from '@skein/runtime';
import { afterEach, describe, expect, test } from 'vitest';
import { LatencyModel } from './latency-model.ts';
import { warm, type Warmth, type WarmingOptions } from './warming.ts';

let session: Session | undefined;
afterEach(async () => {
  await session?.close();
  session = undefined;
});

async function warmUp(
  model: Model,
  options: Partial<WarmingOptions> = {},
): Promise<{ warmth: Warmth; latencies: LatencyModel }> {
  const bytes = writeModel(model);
  session = await nativeRuntime.open({ bytes }, { device: 'cpu', threads: 1, isolation: 'thread' });
  const latencies = new LatencyModel();
  const warmth = await warm(session, {
    signature: signatureOf(readModel(bytes)),
    model: latencies,
    clock: performance,
    maxRows: 8,
    objectiveMs: 2_000,
    seen: undefined,
    known: undefined,
    runsPerSize: 2,
    ...options,
  });
  return { warmth, latencies };
}

/** y = x − mean of x over the batch: every row changes the others. */
function mixing(): Model {
  const graph = new GraphBuilder('mixing');
  const x = graph.input('x', 'float32', ['batch', 3]);
  const [mean] = graph.node('ReduceMean', [x], { axes: [0], keepdims: 1 });
  const [y] = graph.node('Sub', [x, mean]);
  graph.output(y, 'float32', ['batch', 3]);
  return graph.model();
}

/** y = x twice, one below the other, although it is declared to have one row per row. */
function doubling(): Model {
  const graph = new GraphBuilder('doubling');
  const x = graph.input('x', 'float32', ['batch', 3]);
  const [y] = graph.node('Concat', [x, x], { axis: 0 });
  graph.output(y, 'float32', ['rows', 3]);
  return graph.model();
}

describe('warming', () => {
  test('measures every batch size', async () => {
    const { warmth, latencies } = await warmUp(mlp({ sizes: [8, 16, 4], seed: 1 }));
    expect(warmth).toEqual({ maxRows: 8, unbatched: undefined });
    expect(latencies.known().map(({ rows }) => rows)).toEqual([1, 2, 4, 8]);
    for (const { p50Ms, p99Ms } of latencies.known()) {
      expect(p50Ms).toBeGreaterThan(0);
      expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
    }
  });

  test('detects a model that mixes rows', async () => {
    const { warmth, latencies } = await warmUp(mixing());
    expect(warmth.maxRows).toBe(1);
    expect(warmth.unbatched).toMatch(/other rows/);
    expect(latencies.known().map(({ rows }) => rows)).toEqual([1]);
  });

  test('detects a model that does not keep its rows', async () => {
    const { warmth } = await warmUp(doubling());
    expect(warmth).toEqual({
      maxRows: 1,
      unbatched: expect.stringMatching(/does not have one row per row/),
    });
  });

  test('does not batch a model whose first dimension is fixed', async () => {
    const { warmth, latencies } = await warmUp(mlp({ sizes: [8, 4], seed: 1, batch: 1 }));
    expect(warmth).toEqual({ maxRows: 1, unbatched: expect.stringMatching(/fixed/) });
    expect(latencies.known()).toHaveLength(1);
  });

  test('guesses open sizes, and uses the sizes of real requests once there is one', async () => {
    const graph = new GraphBuilder('open');
    const x = graph.input('x', 'float32', ['batch', null]);
    const [y] = graph.node('Relu', [x]);
    graph.output(y, 'float32', ['batch', null]);
    const { latencies } = await warmUp(graph.model());
    expect(latencies.known()).toHaveLength(4);
    await session!.close();
    const seen = new Map([['x', [3, 1_000]]]);
    const second = await warmUp(graph.model(), { seen });
    // The curve of a thousand elements per row has been run, not inherited.
    expect(second.latencies.curve([1_000]).runs).toBeGreaterThan(0);
  });

  test('does not fail a model that rejects a guessed shape', async () => {
    const graph = new GraphBuilder('picky');
    const x = graph.input('x', 'float32', ['batch', 'width']);
    const w = graph.initializer('w', tensor('float32', [7, 2], new Float32Array(14)));
    const [y] = graph.node('MatMul', [x, w]);
    graph.output(y, 'float32', ['batch', 2]);
    const { warmth, latencies } = await warmUp(graph.model());
    expect(warmth).toEqual({ maxRows: 8, unbatched: undefined });
    expect(latencies.known()).toEqual([]);
  });

  test('does not fail a model that rejects synthetic values', async () => {
    const graph = new GraphBuilder('division');
    graph.input('a', 'int32', ['n']);
    graph.input('b', 'int32', ['n']);
    graph.node('Div', ['a', 'b'], {}, { outputs: ['y'] });
    graph.output('y', 'int32', ['n']);
    // Eight random bits almost always contain a zero.
    const { latencies } = await warmUp(graph.model());
    expect(latencies.known().length).toBeLessThan(4);
  });

  test('does not fail a model that takes a scale, which is at least 1', async () => {
    const graph = new GraphBuilder('upsampling');
    const x = graph.input('x', 'float32', [1, 2]);
    const scales = graph.input('scales', 'float32', [2]);
    const [y] = graph.node('Upsample', [x, scales]);
    graph.output(y, 'float32', ['rows', 'columns']);
    const { latencies } = await warmUp(graph.model({ opset: 9 }));
    expect(latencies.known()).toEqual([]);
  });

  test('refuses a model that rejects its only possible input', async () => {
    const graph = new GraphBuilder('broken');
    const x = graph.input('x', 'float32', ['batch', 3]);
    graph.initializer('shape', tensor('int64', [1], BigInt64Array.of(1_000n)));
    const [y] = graph.node('Reshape', [x, 'shape']);
    graph.output(y, 'float32', ['batch']);
    await expect(warmUp(graph.model())).rejects.toThrow(RuntimeFailure);
  });

  // The objective is 250 ms; a run may take half of it.
  test.each([
    ['rows of 20 ms', 0, 20, [1, 2, 4]],
    ['a fixed cost of 40 ms, and rows of 10', 40, 10, [1, 2, 4, 8]],
    ['runs of 90 ms, whatever their rows', 90, 0, [1, 2, 4, 8, 16, 32]],
    ['a row too slow alone', 126, 0, [1]],
  ])('of %s, runs no size that would be too slow to use', async (_what, fixed, perRow, sizes) => {
    let now = 0;
    const ran: number[] = [];
    const signature = signatureOf(mlp({ sizes: [8, 4], seed: 1 }));
    const timed: Session = {
      signature,
      lost: new Promise(() => undefined),
      run: (feeds) => {
        const rows = feeds.get(signature.inputs[0]!.name)!.shape[0]!;
        ran.push(rows);
        now += fixed + perRow * rows;
        return Promise.resolve({ outputs: new Map(), inputMs: 0, computeMs: 0, outputMs: 0 });
      },
      close: () => Promise.resolve(),
    };
    await warm(timed, {
      signature,
      model: new LatencyModel(),
      clock: { now: () => now },
      maxRows: 32,
      objectiveMs: 250,
      seen: undefined,
      known: { maxRows: 32, unbatched: undefined },
      runsPerSize: 2,
    });
    const [_accepted, ...measured] = ran;
    expect(measured).toEqual(sizes.flatMap((rows) => [rows, rows]));
  });

  test('stops at sizes that are too slow to use', async () => {
    const { latencies } = await warmUp(mlp({ sizes: [8, 4], seed: 1 }), { objectiveMs: 0 });
    expect(latencies.known().map(({ rows }) => rows)).toEqual([1]);
  });
});
