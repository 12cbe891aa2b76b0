/** The loop with real sessions, and with a runtime that breaks when it is told to. */
import { DeploymentSettings, SkeinError, type DeploymentSettingsInput } from '@skein/api';
import {
  GraphBuilder,
  mlp,
  readModel,
  signatureOf,
  tensor,
  values,
  writeModel,
  type NumericTensor,
  type TensorMap,
} from '@skein/onnx';
import {
  nativeRuntime,
  RuntimeFailure,
  type RunResult,
  type Runtime,
  type Session,
} from '@skein/runtime';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { crashSession } from '../../../../runtime/src/crash.ts';
import {
  Cancellation,
  type ReplicaSnapshot,
  type Target,
  type TargetRequest,
} from '../contract.ts';
import { createDispatcher } from './dispatcher.ts';

const MLP = writeModel(mlp({ sizes: [4, 8, 3], seed: 1 }));

let nextId = 1;
function request(x: NumericTensor, more: Partial<TargetRequest> = {}): TargetRequest {
  const now = performance.now();
  return {
    id: String(nextId++),
    deployment: 'model',
    inputs: new Map([['x', x]]),
    arrivedAt: now,
    deadline: now + 10_000,
    priority: 0,
    tenant: 'a',
    protocol: 'internal',
    ...more,
  };
}

function row(...numbers: number[]): NumericTensor {
  return tensor('float32', [1, numbers.length], Float32Array.from(numbers));
}

function numbersOf(outputs: TensorMap, name = 'y'): number[] {
  return [...values(outputs.get(name) as NumericTensor)].map(Number);
}

function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'answered',
    (error: unknown) => (error instanceof SkeinError ? error.code : String(error)),
  );
}

interface Told {
  readonly states: string[];
  readonly batches: number[];
  answered: number;
  readonly refused: string[];
}

let target: Target | undefined;
let told: Told;
beforeEach(() => {
  told = { states: [], batches: [], answered: 0, refused: [] };
});
afterEach(async () => {
  await target?.drain();
  target = undefined;
});

async function serve(
  model: Uint8Array,
  settings: DeploymentSettingsInput = {},
  runtime: Runtime = nativeRuntime,
  replicas = 1,
): Promise<Target> {
  target = createDispatcher({
    deployment: 'model',
    version: '1',
    signature: signatureOf(readModel(model)),
    model: { bytes: model },
    settings: DeploymentSettings.parse(settings),
    runtime,
    clock: performance,
    observer: {
      answered: () => void told.answered++,
      refused: (_request, error) => void told.refused.push(error.code),
      batchRan: (_deployment, _version, rows) => void told.batches.push(rows),
      replicaChanged: (_deployment, _version, { id, state }) =>
        void told.states.push(`${id} ${state}`),
    },
  });
  target.scaleTo(replicas);
  await target.whenReady();
  return target;
}

/** Resolves when the replicas' states are these. */
async function untilStates(
  dispatcher: Target,
  ...states: ReplicaSnapshot['state'][]
): Promise<void> {
  await vi.waitFor(
    () => expect(dispatcher.snapshot().replicas.map(({ state }) => state)).toEqual(states),
    { timeout: 10_000, interval: 5 },
  );
}

describe('with ONNX Runtime', () => {
  test('answers are those of the model alone, however the requests are batched', async () => {
    const dispatcher = await serve(MLP);
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
    expect(told.batches.reduce((sum, rows) => sum + rows, 0)).toBe(40);
    expect(told.answered).toBe(40);
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
    const dispatcher = await serve(writeModel(graph.model()));
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

  test('one bad request spoils nobody else’s run', async () => {
    const graph = new GraphBuilder('lookup');
    const x = graph.input('x', 'int64', ['batch']);
    const table = graph.initializer('table', tensor('float32', [3], Float32Array.of(10, 20, 30)));
    const [y] = graph.node('Gather', [table, x]);
    graph.output(y, 'float32', ['batch']);
    const dispatcher = await serve(writeModel(graph.model()));
    const index = (i: bigint): NumericTensor => tensor('int64', [1], BigInt64Array.of(i));
    const answers = [0n, 99n, 2n].map((i) => dispatcher.submit(request(index(i))));
    await expect(codeOf(answers[1]!)).resolves.toBe('INPUT_REJECTED');
    expect(numbersOf((await answers[0]!).outputs, y)).toEqual([10]);
    expect(numbersOf((await answers[2]!).outputs, y)).toEqual([30]);
    expect(told.refused).toEqual(['INPUT_REJECTED']);
  });

  test('a model that mixes rows up is served one request at a time, and the snapshot says why', async () => {
    const graph = new GraphBuilder('mixing');
    const x = graph.input('x', 'float32', ['batch', 1]);
    const [mean] = graph.node('ReduceMean', [x], { axes: [0] });
    const [y] = graph.node('Sub', [x, mean]);
    graph.output(y, 'float32', ['batch', 1]);
    const dispatcher = await serve(writeModel(graph.model()));
    expect(dispatcher.maxBatchRows).toBe(1);
    expect(dispatcher.snapshot().unbatched).toMatch(/another row/);
    const answers = await Promise.all([1, 2, 3].map((i) => dispatcher.submit(request(row(i)))));
    for (const { outputs } of answers) expect(numbersOf(outputs, y)).toEqual([0]);
  });

  test('shapes that differ do not share a run, but are all answered', async () => {
    const graph = new GraphBuilder('open');
    const x = graph.input('x', 'float32', ['batch', 'width']);
    const [y] = graph.node('Neg', [x]);
    graph.output(y, 'float32', ['batch', 'width']);
    const dispatcher = await serve(writeModel(graph.model()));
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
      // Slow enough for the crash to come in the middle.
      const model = writeModel(mlp({ sizes: [64, 1024, 1024, 1024, 8], seed: 1 }));
      const dispatcher = await serve(model, { isolation: 'process' }, recording);
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
      const dispatcher = await serve(MLP, {}, recording);
      await crashSession(sessions[0]!);
      const answers = [1, 2, 3].map(() => dispatcher.submit(request(row(1, 2, 3, 4))));
      expect(await Promise.all(answers.map(codeOf))).toEqual(answers.map(() => 'answered'));
      expect(sessions).toHaveLength(2);
    });
  });

  test('a file that is no model fails at once, with the reason', async () => {
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

/** Sessions whose runs end when the test says so. */
class Puppet {
  readonly sessions: {
    run?: { resolve: (result: RunResult) => void; reject: (error: Error) => void; rows: number };
    lose(): void;
    closed: boolean;
  }[] = [];
  /** Thrown by the next `open` calls. */
  failures: RuntimeFailure[] = [];
  /** Runs end by themselves until then; true while warming. */
  automatic = true;
  outputRows = (rows: number): number => rows;

  readonly runtime: Runtime = {
    name: 'native',
    open: async () => {
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      return this.#session();
    },
  };

  #session(): Session {
    const lost = Promise.withResolvers<RuntimeFailure>();
    const state: Puppet['sessions'][number] = {
      closed: false,
      lose: () => {
        const failure = new RuntimeFailure('lost', 'killed by the test');
        state.run?.reject(failure);
        lost.resolve(failure);
      },
    };
    this.sessions.push(state);
    return {
      signature: signatureOf(readModel(MLP)),
      lost: lost.promise,
      run: (feeds) => {
        const { bytes, shape } = feeds.get('x') as NumericTensor;
        const rows = this.outputRows(shape[0]!);
        // The first value of each row comes back three times.
        const x = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
        const y = Float32Array.from({ length: rows * 3 }, (_, i) => x[Math.floor(i / 3) * 4] ?? 0);
        const result = { outputs: new Map([['y', tensor('float32', [rows, 3], y)]]), computeMs: 1 };
        if (this.automatic) return Promise.resolve(result);
        return new Promise((resolve, reject) => {
          state.run = { resolve: () => resolve(result), reject, rows: shape[0]! };
        });
      },
      close: async () => {
        state.closed = true;
      },
    };
  }

  /** Ends the run of a session, once it has one. */
  async end(session = 0): Promise<number> {
    await vi.waitUntil(() => this.sessions[session]?.run !== undefined, { interval: 1 });
    const run = this.sessions[session]!.run!;
    delete this.sessions[session]!.run;
    run.resolve({ outputs: new Map(), computeMs: 1 });
    return run.rows;
  }
}

describe('with a runtime that breaks', () => {
  const manual = async (
    settings: DeploymentSettingsInput = {},
    replicas = 1,
  ): Promise<[Target, Puppet]> => {
    const puppet = new Puppet();
    const dispatcher = await serve(MLP, settings, puppet.runtime, replicas);
    await untilStates(dispatcher, ...Array.from({ length: replicas }, () => 'ready' as const));
    puppet.automatic = false;
    return [dispatcher, puppet];
  };
  const first = (answer: Promise<{ outputs: TensorMap }>): Promise<number> =>
    answer.then(({ outputs }) => numbersOf(outputs)[0]!);

  test('requests that came together run together; those that came later run next', async () => {
    const [dispatcher, puppet] = await manual();
    const early = [1, 2, 3].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    await vi.waitFor(() => expect(puppet.sessions[0]!.run?.rows).toBe(3), { interval: 1 });
    const late = [4, 5].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    expect(dispatcher.snapshot()).toMatchObject({ queuedRequests: 2, inFlightRows: 3 });
    await puppet.end();
    expect(await Promise.all(early)).toEqual([1, 2, 3]);
    expect(await puppet.end()).toBe(2);
    expect(await Promise.all(late)).toEqual([4, 5]);
  });

  test('a cancelled request leaves the queue at once; one that runs is left to run', async () => {
    const [dispatcher, puppet] = await manual();
    const running = new Cancellation();
    const waiting = new Cancellation();
    const a = codeOf(dispatcher.submit(request(row(1, 0, 0, 0), { cancellation: running })));
    await vi.waitFor(() => expect(puppet.sessions[0]!.run).toBeDefined(), { interval: 1 });
    const b = codeOf(dispatcher.submit(request(row(2, 0, 0, 0), { cancellation: waiting })));
    expect(dispatcher.snapshot().queuedRequests).toBe(1);
    waiting.cancel();
    running.cancel();
    expect(dispatcher.snapshot().queuedRequests).toBe(0);
    expect(await Promise.all([a, b])).toEqual(['CANCELLED', 'CANCELLED']);
    await puppet.end();
    await vi.waitFor(() => expect(dispatcher.snapshot().inFlightRows).toBe(0), { interval: 1 });
    expect(dispatcher.snapshot()).toMatchObject({ answered: 0, refused: { CANCELLED: 2 } });
    const gone = new Cancellation();
    gone.cancel();
    const c = dispatcher.submit(request(row(3, 0, 0, 0), { cancellation: gone }));
    expect(await codeOf(c)).toBe('CANCELLED');
  });

  test('a request whose deadline passes in the queue is failed then, though no replica comes back', async () => {
    const [dispatcher, puppet] = await manual();
    const stuck = codeOf(dispatcher.submit(request(row(1, 0, 0, 0))));
    await vi.waitFor(() => expect(puppet.sessions[0]!.run).toBeDefined(), { interval: 1 });
    const hurried = dispatcher.submit(
      request(row(2, 0, 0, 0), { deadline: performance.now() + 60 }),
    );
    await expect(codeOf(hurried)).resolves.toBe('DEADLINE_EXCEEDED');
    await puppet.end();
    await expect(stuck).resolves.toBe('answered');
  });

  test('a lost run is tried once more, and then given up', async () => {
    const [dispatcher, puppet] = await manual();
    const answers = [1, 2].map((i) => dispatcher.submit(request(row(i, 0, 0, 0))));
    const ends = answers.map(codeOf);
    await vi.waitFor(() => expect(puppet.sessions[0]!.run?.rows).toBe(2), { interval: 1 });
    puppet.automatic = true;
    puppet.sessions[0]!.lose();
    await vi.waitFor(() => expect(puppet.sessions).toHaveLength(2), { interval: 1 });
    puppet.automatic = false;
    expect(await Promise.all(ends)).toEqual(['answered', 'answered']);

    const poison = codeOf(dispatcher.submit(request(row(3, 0, 0, 0))));
    for (const session of [1, 2]) {
      await vi.waitFor(() => expect(puppet.sessions[session]?.run).toBeDefined(), { interval: 1 });
      puppet.automatic = true;
      puppet.sessions[session]!.lose();
      await vi.waitFor(() => expect(puppet.sessions.length).toBeGreaterThan(session + 1), {
        interval: 1,
      });
      if (session === 1) puppet.automatic = false;
    }
    expect(await poison).toBe('REPLICA_LOST');
    expect(told.refused).toEqual(['REPLICA_LOST']);
  });

  test('outputs without their rows end batching, and nobody gets another’s row', async () => {
    const [dispatcher, puppet] = await manual();
    puppet.outputRows = () => 1;
    const answers = [1, 2, 3].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    expect(await puppet.end()).toBe(3);
    for (let i = 0; i < 3; i++) expect(await puppet.end()).toBe(1);
    expect(await Promise.all(answers)).toEqual([1, 2, 3]);
    expect(dispatcher.maxBatchRows).toBe(1);
    expect(dispatcher.snapshot().unbatched).toMatch(/"y"/);
  });

  test('scaling down lets a run end; scaling up again starts anew', async () => {
    const [dispatcher, puppet] = await manual({}, 2);
    const answers = [1, 2].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    await vi.waitFor(() => expect(dispatcher.snapshot().inFlightRows).toBe(2), { interval: 1 });
    dispatcher.scaleTo(1);
    expect(dispatcher.snapshot().replicas.map(({ state }) => state)).toEqual(['ready', 'draining']);
    dispatcher.scaleTo(0);
    await Promise.all([puppet.end(0), puppet.end(1)]);
    expect(await Promise.all(answers)).toEqual([1, 2]);
    await untilStates(dispatcher);
    expect(puppet.sessions.map(({ closed }) => closed)).toEqual([true, true]);
    await expect(codeOf(dispatcher.submit(request(row(3, 0, 0, 0))))).resolves.toBe('NO_REPLICA');

    puppet.automatic = true;
    dispatcher.scaleTo(1);
    await expect(first(dispatcher.submit(request(row(4, 0, 0, 0))))).resolves.toBe(4);
  });

  test('scaling to zero waits for those who wait', async () => {
    const [dispatcher, puppet] = await manual({ batching: { maxRows: 1 } });
    const answers = [1, 2, 3].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    dispatcher.scaleTo(0);
    for (let i = 0; i < 3; i++) await puppet.end();
    expect(await Promise.all(answers)).toEqual([1, 2, 3]);
    await untilStates(dispatcher);
  });

  test('a cold request waits for its replica if its deadline allows, else it is told when to come', async () => {
    const puppet = new Puppet();
    const dispatcher = await serve(MLP, {}, puppet.runtime, 0);
    dispatcher.scaleTo(1);
    const hurried = dispatcher.submit(
      request(row(1, 0, 0, 0), { deadline: performance.now() + 100 }),
    );
    const patient = first(dispatcher.submit(request(row(2, 0, 0, 0))));
    await expect(hurried).rejects.toMatchObject({
      code: 'NO_REPLICA',
      retryAfterMs: expect.any(Number),
    });
    await expect(patient).resolves.toBe(2);
  });

  test('draining refuses what is new, ends what was accepted, then every replica', async () => {
    const [dispatcher, puppet] = await manual({ batching: { maxRows: 1 } });
    const accepted = [1, 2].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    const drained = dispatcher.drain();
    await expect(codeOf(dispatcher.submit(request(row(3, 0, 0, 0))))).resolves.toBe(
      'NODE_DRAINING',
    );
    for (let i = 0; i < 2; i++) await puppet.end();
    expect(await Promise.all(accepted)).toEqual([1, 2]);
    await drained;
    expect(puppet.sessions[0]!.closed).toBe(true);
    expect(dispatcher.snapshot().replicas).toEqual([]);
  });

  test('user errors are refused before they cost anything', async () => {
    const [dispatcher] = await manual({ finiteOnly: true });
    const bad = request(row(1, 2, 3));
    await expect(codeOf(dispatcher.submit(bad))).resolves.toBe('INPUT_SHAPE');
    await expect(codeOf(dispatcher.submit(request(row(1, 2, 3, Number.NaN))))).resolves.toBe(
      'INPUT_NOT_FINITE',
    );
    await expect(
      codeOf(dispatcher.submit(request(row(1, 2, 3, 4), { outputs: ['z'] }))),
    ).resolves.toBe('OUTPUT_UNKNOWN');
    expect(dispatcher.snapshot()).toMatchObject({
      arrivedRequests: 0,
      refused: { INPUT_SHAPE: 1, INPUT_NOT_FINITE: 1, OUTPUT_UNKNOWN: 1 },
    });
  });
});
