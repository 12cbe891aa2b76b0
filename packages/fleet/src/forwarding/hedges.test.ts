/** Requests that take long on one node and are sent to a second one, over real sockets. */
import { DeploymentSettings } from '@skein/api';
import { Cancellation, type InferenceAnswer } from '@skein/serving';
import { afterEach, describe, expect, test } from 'vitest';
import { codeOf, inputs, numbers, request } from './testing/requests.ts';
import { closeNodes, fleetOf, type ScriptedFleetOptions } from './testing/scripted-fleet.ts';
import { answer, doubled, hangs, runs, type TestNode } from './testing/scripted-node.ts';

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 };
afterEach(closeNodes);

/** The first one refuses, the second one takes what it refuses, and the third one is the next best. */
async function three(options: ScriptedFleetOptions = {}): Promise<[TestNode, TestNode, TestNode]> {
  const [a, b, c] = (await fleetOf(3, { hedgeShare: 1, ...options })) as [
    TestNode,
    TestNode,
    TestNode,
  ];
  a.prediction = () => ({});
  b.prediction = () => ({ finishMs: 1 });
  c.prediction = () => ({ finishMs: 9000 });
  return [a, b, c];
}

/** Waits in a queue until it is told to run, and then to answer. */
function gated(node: TestNode): { start(): void; answer(): void } {
  const answered = Promise.withResolvers<InferenceAnswer>();
  node.behave = () => answered.promise;
  return {
    start: () => node.seen.at(-1)!.cancellation!.start(),
    answer: () => answered.resolve(answer(new Map([['y', inputs().get('x')!]]))),
  };
}
const isCancelled = ({ seen }: TestNode): boolean => seen.at(-1)?.cancellation?.cancelled === true;

describe('a request that its member does not answer in the time it has predicted', () => {
  test('is answered by a second one, and cancelled at the first one, which has not started', async () => {
    const [a, b, c] = await three();
    b.behave = hangs;
    c.behave = doubled;
    expect(numbers(await a.forwarding.inference.infer(request()))).toEqual([2, 4]);
    await expect.poll(() => isCancelled(b), PATIENT).toBe(true);
    expect(a.forwarding.counters).toMatchObject({
      hedges: { second: 1 },
      duplicates: 0,
      forwards: { answered: 1 },
    });
    expect([b.discarded, c.seen.length]).toEqual([0, 1]);
  });

  test('runs once where the first one starts after all: it cancels the second one', async () => {
    const [a, b, c] = await three();
    const first = gated(b);
    c.behave = hangs;
    const outcome = a.forwarding.inference.infer(request());
    await expect.poll(() => c.seen.length, PATIENT).toBe(1);
    first.start();
    await expect.poll(() => isCancelled(c), PATIENT).toBe(true);
    expect(isCancelled(b)).toBe(false);
    first.answer();
    expect(numbers(await outcome)).toEqual([1, 2]);
    expect(a.forwarding.counters).toMatchObject({
      hedges: { first: 1 },
      duplicates: 0,
      forwards: { answered: 1 },
    });
    expect(c.discarded).toBe(0);
  });

  test('runs once where the second one starts: it cancels the first one before it answers', async () => {
    const [a, b, c] = await three();
    b.behave = hangs;
    const second = gated(c);
    const outcome = a.forwarding.inference.infer(request());
    await expect.poll(() => c.seen.length, PATIENT).toBe(1);
    second.start();
    await expect.poll(() => isCancelled(b), PATIENT).toBe(true);
    second.answer();
    expect(numbers(await outcome)).toEqual([1, 2]);
    expect(b.discarded).toBe(0);
  });

  test('goes on at the first one if it runs there already; both run, which is counted on both sides', async () => {
    const [a, b, c] = await three();
    b.behave = runs;
    const second = gated(c);
    const outcome = a.forwarding.inference.infer(request());
    await expect.poll(() => c.seen.length, PATIENT).toBe(1);
    second.start();
    second.answer();
    expect(numbers(await outcome)).toEqual([1, 2]);
    await expect.poll(() => b.discarded, PATIENT).toBe(1);
  });

  test('runs again if the first one was cancelled for a second one that is lost', async () => {
    const [a, b, c] = await three();
    b.behave = hangs;
    c.behave = runs;
    const outcome = a.forwarding.inference.infer(request());
    await expect.poll(() => isCancelled(b), PATIENT).toBe(true);
    a.prediction = () => ({ finishMs: 1 });
    a.behave = doubled;
    c.kill();
    expect(numbers(await outcome)).toEqual([2, 4]);
    expect(a.forwarding.counters).toMatchObject({
      hedges: { neither: 1 },
      repeated: 1,
      forwards: { answered: 0, lost: 1 },
    });
  });

  test('counts its first member as lost that is gone while the second one answers, and leaves it out', async () => {
    const [a, b, c] = await three();
    b.behave = runs;
    const second = gated(c);
    const outcome = a.forwarding.inference.infer(request());
    await expect.poll(() => c.seen.length, PATIENT).toBe(1);
    b.kill();
    await expect.poll(() => a.forwarding.leftOut(), PATIENT).toBe(1);
    second.answer();
    expect(numbers(await outcome)).toEqual([1, 2]);
    expect(a.forwarding.counters).toMatchObject({
      hedges: { second: 1 },
      repeated: 0,
      forwards: { answered: 1, lost: 1, failed: 0 },
    });
  });

  test('counts its first member as lost, too, where the second one is lost after it has started', async () => {
    const [a, b, c] = await three();
    b.behave = hangs;
    const second = gated(c);
    const outcome = codeOf(a.forwarding.inference.infer(request()));
    await expect.poll(() => c.seen.length, PATIENT).toBe(1);
    b.kill();
    await expect.poll(() => a.forwarding.leftOut(), PATIENT).toBe(1);
    const started = a.seen.length;
    second.start();
    a.prediction = () => ({ finishMs: 1 });
    a.behave = doubled;
    c.kill();
    expect(await outcome).toBe('answered');
    expect(a.seen.length).toBe(started + 1);
    expect(a.forwarding.counters).toMatchObject({
      hedges: { neither: 1 },
      forwards: { answered: 0, lost: 2 },
    });
  });

  test('runs on the node that its caller called, if it would be in time there by then', async () => {
    const [a, b, c] = await three();
    b.behave = (sent) => {
      a.prediction = () => ({ finishMs: 1 });
      a.behave = doubled;
      return hangs(sent);
    };
    expect(numbers(await a.forwarding.inference.infer(request()))).toEqual([2, 4]);
    expect([a.seen.length, c.seen.length]).toEqual([2, 0]);
    const { hedges, forwards } = a.forwarding.counters;
    expect([hedges.second, forwards.answered]).toEqual([1, 0]);
  });

  test('is cancelled on both members when its caller leaves', async () => {
    const [a, b, c] = await three();
    b.behave = c.behave = hangs;
    const cancellation = new Cancellation();
    const outcome = codeOf(a.forwarding.inference.infer(request({ cancellation })));
    await expect.poll(() => c.seen.length, PATIENT).toBe(1);
    cancellation.cancel();
    expect(await outcome).toBe('CANCELLED');
    await expect.poll(() => isCancelled(b) && isCancelled(c), PATIENT).toBe(true);
  });

  test('is sent once if it is a composition that is not declared idempotent', async () => {
    const settings = DeploymentSettings.parse({});
    const [a, b, c] = await three({ model: { kind: 'composition', settings } });
    b.behave = hangs;
    const deadline = performance.now() + 1000;
    expect(await codeOf(a.forwarding.inference.infer(request({ deadline })))).toMatch(/^DEADLINE_/);
    expect(c.seen).toHaveLength(0);
  });

  test('is sent once if its node has not heard of the deployment yet', async () => {
    const [a, b] = await three({ isUnknown: true });
    b.behave = doubled;
    const deadline = performance.now() + 60_000;
    expect(numbers(await a.forwarding.inference.infer(request({ deadline })))).toEqual([2, 4]);
  });

  test('is sent once while no hedge is earned', async () => {
    const [a, b, c] = await three({ hedgeShare: 0.05 });
    b.behave = hangs;
    const deadline = performance.now() + 1000;
    expect(await codeOf(a.forwarding.inference.infer(request({ deadline })))).toMatch(/^DEADLINE_/);
    expect(c.seen).toHaveLength(0);
    expect(a.forwarding.counters.hedges.second).toBe(0);
  });
});

describe('a request that its own node has accepted and does not answer as soon as usual', () => {
  /** The first one has answered a few requests, and accepts more that it does not answer. */
  async function slowed(): Promise<[TestNode, TestNode]> {
    const [a, b] = (await fleetOf(2, { hedgeShare: 1 })) as [TestNode, TestNode];
    a.behave = doubled;
    for (let i = 0; i < 5; i++) {
      await a.forwarding.inference.infer(request({ cancellation: new Cancellation() }));
    }
    return [a, b];
  }

  test('is answered by another one, and taken out of the queue here; its caller has not left', async () => {
    const [a, b] = await slowed();
    let isOut = false;
    a.behave = ({ cancellation }) =>
      new Promise((_, reject) => {
        cancellation!.onCancel = () => {
          isOut = true;
          cancellation!.onCancel = undefined;
          reject(new Error('It is cancelled here.'));
        };
      });
    const second = gated(b);
    const cancellation = new Cancellation();
    const outcome = a.forwarding.inference.infer(request({ cancellation }));
    await expect.poll(() => b.seen.length, PATIENT).toBe(1);
    second.start();
    await expect.poll(() => isOut, PATIENT).toBe(true);
    second.answer();
    expect(numbers(await outcome)).toEqual([1, 2]);
    expect(cancellation.cancelled).toBe(false);
    expect(a.forwarding.counters).toMatchObject({
      hedges: { second: 1 },
      duplicates: 0,
      forwards: { answered: 1 },
    });
  });

  test('runs here alone if it starts here first', async () => {
    const [a, b] = await slowed();
    const first = gated(a);
    b.behave = hangs;
    const outcome = a.forwarding.inference.infer(request({ cancellation: new Cancellation() }));
    await expect.poll(() => b.seen.length, PATIENT).toBe(1);
    first.start();
    await expect.poll(() => isCancelled(b), PATIENT).toBe(true);
    first.answer();
    expect(numbers(await outcome)).toEqual([1, 2]);
    expect(a.forwarding.counters.hedges.first).toBe(1);
  });

  test('is cancelled on the other one too when its caller leaves', async () => {
    const [a, b] = await slowed();
    a.behave = ({ cancellation }) =>
      new Promise((_, reject) => {
        cancellation!.onCancel = () => reject(new Error('It is cancelled here.'));
      });
    b.behave = hangs;
    const cancellation = new Cancellation();
    // Later than the test waits: the deadline cancels it, too.
    const deadline = performance.now() + 600_000;
    const outcome = codeOf(a.forwarding.inference.infer(request({ cancellation, deadline })));
    await expect.poll(() => b.seen.length, PATIENT).toBe(1);
    cancellation.cancel();
    await outcome;
    await expect.poll(() => isCancelled(b), PATIENT).toBe(true);
  });

  test('stays here alone where hedges are off', async () => {
    const [a, b] = (await fleetOf(2, { hedgeShare: 0 })) as [TestNode, TestNode];
    a.behave = doubled;
    await a.forwarding.inference.infer(request({ cancellation: new Cancellation() }));
    expect(b.sockets.size).toBe(0);
  });
});
