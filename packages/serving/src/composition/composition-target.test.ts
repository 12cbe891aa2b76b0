import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SkeinError } from '@skein/api';
import { stringTensor, tensor, values, type NumericTensor, type TensorMap } from '@skein/onnx';
import { Cancellation } from '../contract.ts';
import type { CompositionTarget } from './composition-target.ts';
import { describeComposition } from './describe-composition.ts';
import {
  answerOf,
  arithmetic,
  clock,
  modulePath,
  openScene,
  request,
  type Infer,
  type Scene,
} from './testing/scene.ts';
import { codeOf } from '../testing/scene.ts';

/** Starting a worker is slow: tests that do not end it share this one. */
let shared: Scene;
beforeAll(async () => {
  shared = await openScene();
});
afterAll(() => shared.target.drain());

function reuse(infer: Infer = arithmetic): Scene {
  shared.infer = infer;
  shared.calls.length = 0;
  shared.logged.length = 0;
  Object.assign(shared.observed, { answered: 0, refused: [] });
  return shared;
}

const open: CompositionTarget[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((target) => target.drain()));
});

/** A separate composition, for tests that end its worker. */
async function own(infer?: Infer): Promise<Scene> {
  const made = await openScene(infer);
  open.push(made.target);
  return made;
}

const numbers = (outputs: TensorMap): number[] =>
  Array.from(values(outputs.get('y') as NumericTensor) as Float32Array);

describe('a composition', () => {
  it('learns its interface from the module', async () => {
    const { target } = reuse();
    expect(target.signature.inputs.map(({ name }) => name)).toEqual(['ask', 'x']);
    expect(target.signature.outputs.map(({ name }) => name)).toEqual(['y', 'note']);
    expect(target.calls).toEqual(['double', 'increment']);
  });

  it('calls deployments with the deadline, tenant, priority and trace of its request', async () => {
    const { target, calls, observed } = reuse();
    const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    const asked = request('double then increment', [1, 2.5], { trace });
    const answer = await target.submit(asked);
    expect(numbers(answer.outputs)).toEqual([3, 6]);
    expect(calls.map(({ deployment }) => deployment)).toEqual(['double', 'increment']);
    for (const call of calls) {
      expect(call).toMatchObject({
        id: asked.id,
        deadline: asked.deadline,
        tenant: 'clinic',
        priority: 2,
        protocol: 'internal',
        trace,
      });
    }
    expect(observed).toEqual({ answered: 1, refused: [] });
  });

  it('reads the rest of the deadline, although each thread has its own clock', async () => {
    const { target } = reuse();
    const answer = await target.submit(request('remaining', [0]));
    const [remaining] = numbers(answer.outputs);
    expect(remaining).toBeGreaterThan(5_000);
    // The clocks of two threads agree to a quarter of a microsecond.
    expect(remaining).toBeLessThan(10_000 + 1e-3);
  });

  it('moves the tensors of a call, and copies the inputs of the request', async () => {
    const { target } = reuse();
    const asked = request('move', [1, 2]);
    const answer = await target.submit(asked);
    const note = answer.outputs.get('note');
    // The moved tensor is empty in the worker afterwards.
    expect(note?.type === 'string' && new TextDecoder().decode(note.elements[0])).toBe('0');
    expect((asked.inputs.get('x') as NumericTensor).bytes.byteLength).toBe(8);
  });

  it('returns snapshots that do not change', async () => {
    const { target } = reuse();
    const before = target.snapshot();
    const counted = { ...before.refused };
    await codeOf(target.submit(request('refuse', [0])));
    expect(before.refused).toEqual(counted);
    expect(target.snapshot().refused).not.toEqual(counted);
  });

  it('returns only the requested outputs', async () => {
    const { target } = reuse();
    const answer = await target.submit(request('echo', [1], { outputs: ['y'] }));
    expect([...answer.outputs.keys()]).toEqual(['y']);
  });

  it('runs many requests at once in one worker', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let inside = 0;
    let all!: () => void;
    const allRunning = new Promise<void>((resolve) => (all = resolve));
    const { target } = reuse(async (call) => {
      if (++inside === 8) all();
      await gate;
      return arithmetic(call);
    });
    const answers = Array.from({ length: 8 }, (_, i) =>
      target.submit(request('double then increment', [i])),
    );
    await allRunning;
    release();
    const outputs = (await Promise.all(answers)).map((answer) => numbers(answer.outputs)[0]);
    expect(outputs).toEqual([1, 3, 5, 7, 9, 11, 13, 15]);
  });
});

describe('an error of a composition', () => {
  it('is passed on unchanged if it is a SkeinError', async () => {
    const { target, observed } = reuse();
    await expect(target.submit(request('refuse', [0]))).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: 'These are not the bytes of an image.',
      retryAfterMs: 7,
    });
    expect(observed.refused).toEqual(['IMAGE_INVALID']);
    expect(target.snapshot().refused['IMAGE_INVALID']).toBeGreaterThan(0);
  });

  it('of a called deployment reaches the client unchanged', async () => {
    const { target } = reuse(async () => {
      throw new SkeinError('QUEUE_FULL', '9 requests wait.', { retryAfterMs: 40 });
    });
    await expect(target.submit(request('double then increment', [0]))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      retryAfterMs: 40,
    });
  });

  it('is INTERNAL if it is any other error, with its message only in the log', async () => {
    const { target, logged } = reuse();
    const error: unknown = await target.submit(request('throw', [0])).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'INTERNAL' });
    expect((error as Error).message).not.toContain('secret');
    expect(JSON.stringify(logged)).toContain('secret detail');
  });

  it('is INTERNAL if an output is missing', async () => {
    const { target } = reuse();
    expect(await codeOf(target.submit(request('nothing', [0])))).toBe('INTERNAL');
  });

  it('is INTERNAL if it returns a tensor that it has moved into a call', async () => {
    const { target, logged } = reuse();
    expect(await codeOf(target.submit(request('given away', [0])))).toBe('INTERNAL');
    expect(JSON.stringify(logged)).toContain('was moved');
  });

  it('refuses a call that was not declared', async () => {
    const { target, calls } = reuse();
    expect(await codeOf(target.submit(request('undeclared', [0])))).toBe('COMPOSITION_INVALID');
    expect(calls).toEqual([]);
  });

  it.each([
    ['INPUT_MISSING', { inputs: new Map([['ask', stringTensor([1], ['echo'])]]) }],
    [
      'INPUT_DATATYPE',
      {
        inputs: new Map([
          ['ask', tensor('float32', [1], Float32Array.of(1))],
          ['x', tensor('float32', [1], Float32Array.of(1))],
        ]),
      },
    ],
    [
      'INPUT_UNKNOWN',
      {
        inputs: new Map([
          ...request('echo', [1]).inputs,
          ['z', tensor('float32', [1], Float32Array.of(1))],
        ]),
      },
    ],
    [
      'INPUT_SHAPE',
      {
        inputs: new Map([
          ...request('echo', [1]).inputs,
          ['x', tensor('float32', [1, 1], Float32Array.of(1))],
        ]),
      },
    ],
    ['INPUT_NOT_FINITE', { inputs: request('echo', [NaN]).inputs }],
    ['OUTPUT_UNKNOWN', { outputs: ['q'] }],
  ] as const)('%s is found before the composition runs', async (code, more) => {
    const { target } = reuse();
    expect(await codeOf(target.submit(request('echo', [1], more)))).toBe(code);
  });
});

describe('a deadline of a composition', () => {
  it('is enforced, and aborts the signal and the calls in flight', async () => {
    const cancellations: Cancellation[] = [];
    const { target, observed } = reuse(({ cancellation }) => {
      cancellations.push(cancellation!);
      return new Promise((_, reject) => {
        cancellation!.onCancel = () => reject(new SkeinError('CANCELLED', 'Cancelled.'));
      });
    });
    const asked = request('double then increment', [0], { deadline: clock.now() + 150 });
    expect(await codeOf(target.submit(asked))).toBe('DEADLINE_EXCEEDED');
    expect(cancellations.map(({ cancelled }) => cancelled)).toEqual([true]);
    expect(observed.refused).toEqual(['DEADLINE_EXCEEDED']);
    // The worker has cancelled the run and continues.
    expect(numbers((await target.submit(request('echo', [5]))).outputs)).toEqual([5]);
    expect(target.snapshot().inFlightRows).toBe(0);
  });

  it('may be later than a timer can be set to', async () => {
    const { target } = reuse(async (asked) => {
      await new Promise((resolve) => void setTimeout(resolve, 20));
      return arithmetic(asked);
    });
    const patient = request('double then increment', [1], { deadline: clock.now() + 2 ** 31 });
    expect(numbers((await target.submit(patient)).outputs)).toEqual([3]);
  });

  it('that has passed is refused at once', async () => {
    const { target } = reuse();
    const late = request('echo', [0], { deadline: clock.now() - 1 });
    expect(await codeOf(target.submit(late))).toBe('DEADLINE_EXCEEDED');
  });

  it('a client that disconnects ends its run', async () => {
    const { target } = reuse();
    const cancellation = new Cancellation();
    const answer = target.submit(request('wait for abort', [0], { cancellation }));
    cancellation.cancel();
    expect(await codeOf(answer)).toBe('CANCELLED');
    expect(numbers((await target.submit(request('echo', [5]))).outputs)).toEqual([5]);
  });
});

describe('a crash of a composition', () => {
  it('costs a retry', async () => {
    let callCount = 0;
    const { target, replicas } = await own(async () =>
      answerOf(tensor('float32', [1], Float32Array.of(callCount++))),
    );
    const answer = await target.submit(request('crash on command', [4]));
    expect(numbers(answer.outputs)).toEqual([1]);
    expect(replicas.map(({ state }) => state)).toEqual([
      'loading',
      'ready',
      'gone',
      'loading',
      'ready',
    ]);
    expect(target.snapshot().replicas.filter(({ state }) => state === 'ready')).toHaveLength(1);
  });

  it('twice is REPLICA_LOST, and fails no other request', async () => {
    const { target } = await own();
    const others = Array.from({ length: 5 }, (_, i) =>
      target.submit(request('double then increment', [i])),
    );
    const poison = target.submit(request('crash', [0]));
    expect(await codeOf(poison)).toBe('REPLICA_LOST');
    const outputs = (await Promise.all(others)).map((answer) => numbers(answer.outputs)[0]);
    expect(outputs).toEqual([1, 3, 5, 7, 9]);
  });

  it('a worker that loops for ever is replaced', { timeout: 30_000 }, async () => {
    const { target } = await own();
    const stuck = target.submit(request('loop', [0], { deadline: clock.now() + 100 }));
    expect(await codeOf(stuck)).toBe('DEADLINE_EXCEEDED');
    const answer = await target.submit(request('echo', [5], { deadline: clock.now() + 20_000 }));
    expect(numbers(answer.outputs)).toEqual([5]);
  });
});

describe('the lifecycle of a composition', () => {
  it('drains: accepted requests are answered, later ones refused', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { target } = await own(async (call) => {
      await gate;
      return arithmetic(call);
    });
    const accepted = target.submit(request('double then increment', [1]));
    const drained = target.drain();
    expect(await codeOf(target.submit(request('echo', [1])))).toBe('NO_REPLICA');
    release();
    expect(numbers((await accepted).outputs)).toEqual([3]);
    await drained;
    expect(target.snapshot().replicas.every(({ state }) => state === 'gone')).toBe(true);
  });

  it('is refused with the reason if its module is not a composition', async () => {
    const wrong = new URL('./composition-queue.ts', import.meta.url).pathname;
    await expect(describeComposition(wrong)).rejects.toMatchObject({
      code: 'COMPOSITION_INVALID',
      message: expect.stringContaining('does not export `composition`') as string,
    });
    await expect(describeComposition('/nowhere/at/all.ts')).rejects.toMatchObject({
      code: 'COMPOSITION_INVALID',
    });
    expect((await describeComposition(modulePath)).calls).toEqual(['double', 'increment']);
  });
});
