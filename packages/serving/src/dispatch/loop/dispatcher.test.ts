/** The dispatcher with real sessions. */
import { DeploymentSettings } from '@skein/api';
import {
  GraphBuilder,
  mlp,
  readModel,
  signatureOf,
  tensor,
  writeModel,
  type NumericTensor,
} from '@skein/onnx';
import { nativeRuntime, type Runtime, type Session } from '@skein/runtime';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { crashSession } from '@skein/runtime/testing';
import { createDispatcher } from './dispatcher.ts';
import { codeOf, MLP, numbersOf, request, row, serve } from '../testing/harness.ts';

describe('with ONNX Runtime', () => {
  test('answers equal the answers of the model alone, for any batching', async () => {
    const { dispatcher, observed } = await serve(MLP);
    const alone = await nativeRuntime.open(
      { bytes: MLP },
      { device: 'cpu', threads: 1, isolation: 'thread' },
    );
    const inputs = Array.from({ length: 40 }, (_, i) => row(i, -i, i / 2, 1));
    const answers = await Promise.all(inputs.map((x) => dispatcher.submit(request(x))));
    for (let i = 0; i < inputs.length; i++) {
      const { outputs } = await alone.run(new Map([['x', row(i, -i, i / 2, 1)]]));
      const expected = numbersOf(outputs);
      numbersOf(answers[i]!.outputs).forEach((value, j) =>
        expect(value).toBeCloseTo(expected[j]!, 3),
      );
    }
    await alone.close();
    expect(Math.max(...answers.map(({ times }) => times.batchRows))).toBeGreaterThan(1);
    expect(observed.batches.reduce((sum, rows) => sum + rows, 0)).toBe(40);
    expect(observed.answered).toBe(40);
    const snapshot = dispatcher.snapshot();
    expect(snapshot).toMatchObject({
      arrivedRequests: 40,
      arrivedRows: 40,
      answered: 40,
      answeredInTime: 40,
      queuedRequests: 0,
      inFlightRows: 0,
      refused: {},
    });
  });

  test('requests of several rows, and of some outputs, get exactly theirs', async () => {
    const graph = new GraphBuilder('two');
    const x = graph.input('x', 'float32', ['batch', 2]);
    const [twice] = graph.node('Add', [x, x]);
    const [square] = graph.node('Mul', [x, x]);
    graph.output(twice, 'float32', ['batch', 2]);
    graph.output(square, 'float32', ['batch', 2]);
    const { dispatcher } = await serve(writeModel(graph.model()));
    const [three, one, both] = await Promise.all([
      dispatcher.submit(
        request(tensor('float32', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)), { outputs: [twice] }),
      ),
      dispatcher.submit(request(row(7, 8), { outputs: [square] })),
      dispatcher.submit(request(row(9, 10))),
    ]);
    expect([...three.outputs.keys()]).toEqual([twice]);
    expect(three.outputs.get(twice)!.shape).toEqual([3, 2]);
    expect(numbersOf(three.outputs, twice)).toEqual([2, 4, 6, 8, 10, 12]);
    expect([...one.outputs.keys()]).toEqual([square]);
    expect(numbersOf(one.outputs, square)).toEqual([49, 64]);
    expect([...both.outputs.keys()]).toEqual([twice, square]);
    expect(numbersOf(both.outputs, square)).toEqual([81, 100]);
  });

  test('one bad request fails no other request of its run', async () => {
    const graph = new GraphBuilder('lookup');
    const x = graph.input('x', 'int64', ['batch']);
    const table = graph.initializer('table', tensor('float32', [3], Float32Array.of(10, 20, 30)));
    const [y] = graph.node('Gather', [table, x]);
    graph.output(y, 'float32', ['batch']);
    const { dispatcher, observed } = await serve(writeModel(graph.model()));
    const index = (i: bigint): NumericTensor => tensor('int64', [1], BigInt64Array.of(i));
    const answers = [0n, 99n, 2n].map((i) => dispatcher.submit(request(index(i))));
    await expect(codeOf(answers[1]!)).resolves.toBe('INPUT_REJECTED');
    await expect(answers[1]!).rejects.toThrow(/^Input 'x' holds 99 at \[0\]: Node .* out of data/);
    expect(numbersOf((await answers[0]!).outputs, y)).toEqual([10]);
    expect(numbersOf((await answers[2]!).outputs, y)).toEqual([30]);
    expect(observed.refused).toEqual(['INPUT_REJECTED']);
  });

  test('a model that mixes rows is served one request at a time, and the snapshot gives the reason', async () => {
    const graph = new GraphBuilder('mixing');
    const x = graph.input('x', 'float32', ['batch', 1]);
    const [mean] = graph.node('ReduceMean', [x], { axes: [0] });
    const [y] = graph.node('Sub', [x, mean]);
    graph.output(y, 'float32', ['batch', 1]);
    const { dispatcher } = await serve(writeModel(graph.model()));
    expect(dispatcher.maxBatchRows).toBe(1);
    expect(dispatcher.snapshot().unbatched).toMatch(/other rows/);
    const answers = await Promise.all([1, 2, 3].map((i) => dispatcher.submit(request(row(i)))));
    for (const { outputs } of answers) expect(numbersOf(outputs, y)).toEqual([0]);
  });

  test('shapes that differ do not share a run, but are all answered', async () => {
    const graph = new GraphBuilder('open');
    const x = graph.input('x', 'float32', ['batch', 'width']);
    const [y] = graph.node('Neg', [x]);
    graph.output(y, 'float32', ['batch', 'width']);
    const { dispatcher } = await serve(writeModel(graph.model()));
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        dispatcher.submit(request(row(...Array.from({ length: 1 + (i % 3) }, () => i)))),
      ),
    );
    answers.forEach(({ outputs, times }, i) => {
      expect(numbersOf(outputs, y)).toEqual(Array.from({ length: 1 + (i % 3) }, () => -i));
      expect(times.batchRows).toBeLessThanOrEqual(4);
    });
  });

  describe('after a crash', () => {
    const sessions: Session[] = [];
    const recording: Runtime = {
      name: 'native',
      open: async (model, options) => {
        const session = await nativeRuntime.open(model, options);
        sessions.push(session);
        return session;
      },
    };
    beforeEach(() => void (sessions.length = 0));

    test('of a process while it runs, its requests are run again', async () => {
      // Slow enough for the crash to happen in the middle.
      const model = writeModel(mlp({ sizes: [64, 1024, 1024, 1024, 8], seed: 1 }));
      const { dispatcher } = await serve(model, { isolation: 'process' }, recording);
      const answers = Array.from({ length: 30 }, () =>
        dispatcher.submit(request(tensor('float32', [64, 64], new Float32Array(4096).fill(0.5)))),
      );
      await vi.waitFor(() => expect(dispatcher.snapshot().inFlightRows).toBeGreaterThan(0), {
        interval: 1,
      });
      await crashSession(sessions[0]!);
      expect(await Promise.all(answers.map(codeOf))).toEqual(answers.map(() => 'answered'));
      expect(sessions).toHaveLength(2);
      const gone = dispatcher.snapshot().replicas.find(({ state }) => state === 'gone');
      expect(gone?.failure).toBeTruthy();
    });

    test('of a thread, the next requests go to its replacement', async () => {
      const { dispatcher } = await serve(MLP, {}, recording);
      await crashSession(sessions[0]!);
      const answers = [1, 2, 3].map(() => dispatcher.submit(request(row(1, 2, 3, 4))));
      expect(await Promise.all(answers.map(codeOf))).toEqual(answers.map(() => 'answered'));
      expect(sessions).toHaveLength(2);
    });
  });

  test('a file that is not a model fails at once, with the reason', async () => {
    const broken = MLP.slice();
    broken.fill(0xff, 20);
    const options = { signature: signatureOf(readModel(MLP)), model: { bytes: broken } };
    const dispatcher = createDispatcher({
      deployment: 'model',
      version: '1',
      settings: DeploymentSettings.parse({}),
      runtime: nativeRuntime,
      clock: performance,
      observer: { answered() {}, refused() {}, batchRan() {}, replicaChanged() {} },
      ...options,
    });
    dispatcher.scaleTo(2);
    const early = codeOf(dispatcher.submit(request(row(1, 2, 3, 4))));
    await expect(codeOf(dispatcher.whenReady())).resolves.toBe('MODEL_LOAD_FAILED');
    await expect(early).resolves.toBe('NO_REPLICA');
    const refused = dispatcher.submit(request(row(1, 2, 3, 4)));
    await expect(refused).rejects.toMatchObject({
      code: 'NO_REPLICA',
      retryAfterMs: expect.any(Number),
    });
    await dispatcher.drain();
  });
});
