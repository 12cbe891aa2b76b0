/** Members that are lost while others forward to them, over real sockets. */
import { DeploymentSettings, SkeinError } from '@skein/api';
import { afterEach, describe, expect, test } from 'vitest';
import { codeOf, inputs, numbers, request } from './testing/requests.ts';
import { closeNodes, fleetOf } from './testing/scripted-fleet.ts';
import { answer, doubled, hangs, type TestNode } from './testing/scripted-node.ts';

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 };

afterEach(closeNodes);

describe('a member that is lost', () => {
  test('while it runs a model: the request runs again elsewhere', async () => {
    const [a, b, c] = (await fleetOf(3)) as [TestNode, TestNode, TestNode];
    b.prediction = () => ({ finishMs: 1 });
    c.prediction = () => ({ finishMs: 9000 });
    b.behave = hangs;
    c.behave = doubled;
    a.prediction = () => ({ refusal: new SkeinError('QUEUE_FULL', 'Full.') });
    const outcome = a.forwarding.inference.infer(request());
    await expect.poll(() => b.seen.length, PATIENT).toBe(1);
    b.kill();
    expect(numbers(await outcome)).toEqual([2, 4]);
    expect(a.forwarding.counters).toMatchObject({
      repeated: 1,
      forwards: { lost: 1, answered: 1 },
    });
  });

  test('while it runs a model: its own node takes it if it has capacity by then', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = hangs;
    const outcome = a.forwarding.inference.infer(request());
    await expect.poll(() => b.seen.length, PATIENT).toBe(1);
    a.behave = doubled;
    b.kill();
    expect(numbers(await outcome)).toEqual([2, 4]);
  });

  test.each([
    [false, 'PEER_LOST', 0],
    [true, 'answered', 1],
  ])('while it runs a composition, idempotent: %s → %s', async (idempotent, code, ran) => {
    const settings = DeploymentSettings.parse({ idempotent });
    const [a, b, c] = (await fleetOf(3, { model: { kind: 'composition', settings } })) as [
      TestNode,
      TestNode,
      TestNode,
    ];
    b.prediction = () => ({ finishMs: 1 });
    c.prediction = () => ({ finishMs: 9000 });
    b.behave = hangs;
    c.behave = doubled;
    a.prediction = () => ({ refusal: new SkeinError('QUEUE_FULL', 'Full.') });
    const outcome = codeOf(a.forwarding.inference.infer(request()));
    await expect.poll(() => b.seen.length, PATIENT).toBe(1);
    b.kill();
    expect(await outcome).toBe(code);
    expect(c.seen).toHaveLength(ran);
  });

  test('before it has the request: another one is asked, also for a composition', async () => {
    const [a, b, c] = (await fleetOf(3, { model: { kind: 'composition' } })) as [
      TestNode,
      TestNode,
      TestNode,
    ];
    b.kill();
    c.behave = doubled;
    expect(numbers(await a.forwarding.inference.infer(request()))).toEqual([2, 4]);
    expect(a.forwarding.leftOut()).toBe(1);
  });

  test('is not asked again for a while', async () => {
    const now = performance.now();
    const [a, b, c] = (await fleetOf(3, { clock: { now: () => now } })) as [
      TestNode,
      TestNode,
      TestNode,
    ];
    b.kill();
    c.behave = doubled;
    await a.forwarding.inference.infer(request());
    const { silent } = a.forwarding.counters.probes;
    expect(silent).toBe(1);
    for (let i = 0; i < 5; i++) await a.forwarding.inference.infer(request());
    expect(a.forwarding.counters.probes.silent).toBe(silent);
    expect(c.seen).toHaveLength(6);
  });

  test('between two chunks ends the stream with its code', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = () =>
      Promise.resolve({
        ...answer(inputs()),
        rest: (async function* () {
          await new Promise(() => {});
          yield inputs();
        })(),
      });
    const got = await a.forwarding.inference.infer(request({ takesChunks: true }));
    const outcome = codeOf(
      (async () => {
        for await (const chunk of got.rest!) void chunk;
      })(),
    );
    b.kill();
    expect(await outcome).toBe('PEER_LOST');
  });
});
