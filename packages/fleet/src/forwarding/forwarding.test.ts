/** Nodes that forward to each other over real sockets; what each of them does locally is scripted. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import { OwnedMemory } from '@skein/api/owned-memory';
import { tensor, type TensorMap } from '@skein/onnx';
import { Cancellation, type InferenceRequest } from '@skein/serving';
import { afterEach, describe, expect, test } from 'vitest';
import { bytesBudget } from '../link/testing/bytes-budget.ts';
import { startTcpProxy } from '../../../server/src/testing/tcp-proxy.ts';
import { codeOf, numbers, request } from './testing/requests.ts';
import { closeNodes, fleetOf } from './testing/scripted-fleet.ts';
import { answer, doubled, full, hangs, type TestNode } from './testing/scripted-node.ts';

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 };

afterEach(closeNodes);

/** A request whose memory outlives the caller's release of it. */
function largeRequest(numbersOfIt: number) {
  const x = tensor('float32', [1, numbersOfIt], new Float32Array(numbersOfIt).fill(1));
  let isFreed = false;
  const memory = new OwnedMemory(bytesBudget(1e9).hold('team'), () => (isFreed = true));
  memory.add(x.bytes);
  const cancellation = new Cancellation();
  const sent = request({ inputs: new Map([['x', x]]), memory, cancellation });
  return { sent, freed: () => isFreed, bytes: x.bytes, release: memory.retain(), cancellation };
}

describe('a request', () => {
  test('stays where it is accepted', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    a.behave = doubled;
    expect(numbers(await a.forwarding.inference.infer(request()))).toEqual([2, 4]);
    expect(b.seen).toHaveLength(0);
    expect(b.sockets.size).toBe(0);
  });

  test('that its node refuses is answered by another, as it would be there', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = doubled;
    const sent = request({ outputs: ['y'], version: '3', stickyKey: 'k', priority: 2 });
    const got = await a.forwarding.inference.infer(sent);
    expect(numbers(got)).toEqual([2, 4]);
    expect(got).toMatchObject({ version: '3', times: { queueMs: 1, computeMs: 2 }, cached: false });
    expect(b.seen[0]).toMatchObject({
      id: 'r1',
      deployment: 'risk',
      version: '3',
      outputs: ['y'],
      stickyKey: 'k',
      priority: 2,
      tenant: 'team',
      protocol: 'http',
    });
    expect(a.forwarding.counters.forwards.answered).toBe(1);
  });

  test('has its memory freed when the other member has it, and its caller an answer', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = doubled;
    const { sent, freed, bytes, release } = largeRequest(1e6);
    const got = await a.forwarding.inference.infer(sent);
    expect(numbers(got).at(-1)).toBe(2);
    expect(bytes.buffer).toMatchObject({ detached: false });
    release();
    await expect.poll(freed).toBe(true);
    expect(bytes.buffer).toMatchObject({ detached: true });
  });

  test('that is cut while it is sent counts no more, and is not freed while the connection may write it', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = hangs;
    const { sent, freed, bytes, release, cancellation } = largeRequest(2e7);
    const answered = codeOf(a.forwarding.inference.infer(sent));
    await expect.poll(() => b.sessions.size).toBe(1);
    await expect.poll(() => cancellation.onCancel).toBeDefined();
    cancellation.cancel();
    expect(await answered).toBe('CANCELLED');
    release();
    await expect.poll(freed).toBe(true);
    expect(bytes.buffer).toMatchObject({ detached: false });
  });

  test('that failed where it ran, or was cancelled, is sent to no other', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = doubled;
    for (const code of ['INTERNAL', 'CANCELLED'] as const) {
      a.behave = () => Promise.reject(new SkeinError(code, 'It has run.'));
      expect(await codeOf(a.forwarding.inference.infer(request()))).toBe(code);
    }
    expect(b.seen).toEqual([]);
  });

  test('takes its remaining time along, and not a clock', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = doubled;
    const now = performance.now();
    await a.forwarding.inference.infer(request({ arrivedAt: now - 100, deadline: now + 5000 }));
    await a.forwarding.inference.infer(request({ arrivedAt: now - 100 }));
    const [given, objective] = b.seen as [InferenceRequest, InferenceRequest];
    expect(given.deadline! - given.arrivedAt).toBeCloseTo(5100, 0);
    expect(objective.deadline).toBeUndefined();
  });

  test('may have more time than a timer can be set to', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = async (asked) => {
      await new Promise((resolve) => void setTimeout(resolve, 20));
      return doubled(asked);
    };
    const deadline = performance.now() + 2 ** 32;
    await a.forwarding.inference.infer(request({ deadline }));
    expect(b.seen).toHaveLength(1);
  });

  test('is taken for earlier than it came by what it and its answer take on a slow link', async () => {
    const proxy = await startTcpProxy();
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    proxy.target = Number(new URL(b.address).port);
    [b.address, proxy.delayMs] = [proxy.url, 100];
    b.behave = doubled;
    for (const deadline of [undefined, performance.now() + 120_000]) {
      const early = async (): Promise<boolean> => {
        const sent = request({ arrivedAt: performance.now(), deadline });
        await a.forwarding.inference.infer(sent).catch(() => {});
        const got = b.seen.at(-1);
        return got !== undefined && (got.deadline ?? got.arrivedAt) < (deadline ?? sent.arrivedAt);
      };
      // A machine that is busy for longer than the link takes hides it.
      await expect.poll(early, PATIENT).toBe(true);
    }
    const ran = b.seen.length;
    // A request with less time than the way there and back takes stays where it was refused.
    const deadline = performance.now() + 150;
    expect(await codeOf(a.forwarding.inference.infer(request({ deadline })))).toBe(
      'DEADLINE_UNREACHABLE',
    );
    expect(b.seen).toHaveLength(ran);
    proxy.close();
  });

  test('waits for a connection no longer than it has time', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    const silent = createServer((socket) => socket.on('error', () => {}));
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    b.address = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    // Before the time in which a connection may be made has passed.
    const waited = sleep(1000, 'waited');
    const outcome = codeOf(
      a.forwarding.inference.infer(request({ deadline: performance.now() + 50 })),
    );
    expect(await Promise.race([outcome, waited])).toBe('DEADLINE_UNREACHABLE');
    silent.close();
  });

  test('goes to the member with the earliest finish of two', async () => {
    const [a, b, c] = (await fleetOf(3)) as [TestNode, TestNode, TestNode];
    b.prediction = () => ({ finishMs: 9000 });
    c.prediction = () => ({ finishMs: 20 });
    b.behave = c.behave = doubled;
    for (let i = 0; i < 5; i++) await a.forwarding.inference.infer(request());
    expect(b.seen).toHaveLength(0);
    expect(c.seen).toHaveLength(5);
    expect(a.forwarding.counters.probes.in_time).toBe(10);
  });

  test('that the chosen member refuses after all goes to the other one', async () => {
    const [a, b, c] = (await fleetOf(3)) as [TestNode, TestNode, TestNode];
    b.prediction = () => ({ finishMs: 1 });
    c.prediction = () => ({ finishMs: 9000 });
    c.behave = doubled;
    expect(numbers(await a.forwarding.inference.infer(request()))).toEqual([2, 4]);
    expect(b.seen).toHaveLength(1);
    expect(a.forwarding.counters.forwards).toMatchObject({ refused: 1, answered: 1 });
  });

  test('is not sent on by the member that it was sent to', async () => {
    const [a, b, c] = (await fleetOf(3)) as [TestNode, TestNode, TestNode];
    expect(await codeOf(a.forwarding.inference.infer(request()))).toBe('DEADLINE_UNREACHABLE');
    expect([a.seen.length, b.seen.length, c.seen.length]).toEqual([1, 1, 1]);
    expect(b.forwarding.counters.forwards).toEqual(c.forwarding.counters.forwards);
    expect(b.forwarding.counters.forwards.refused).toBe(0);
  });

  test('that all refuse keeps its code, and gets the earliest time of all', async () => {
    const [a, b, c] = (await fleetOf(3)) as [TestNode, TestNode, TestNode];
    const refusal = (retryAfterMs: number) =>
      new SkeinError('QUEUE_FULL', 'It is full.', { retryAfterMs });
    b.prediction = () => ({ refusal: refusal(90) });
    c.prediction = () => ({ refusal: refusal(30) });
    const error = (await a.forwarding.inference
      .infer(request())
      .catch((e: unknown) => e)) as SkeinError;
    expect(error).toMatchObject({ code: 'DEADLINE_UNREACHABLE', retryAfterMs: 30 });
    expect(error.message).toBe('"risk" is full. So would it be on 2 other members.');
    expect([b.seen.length, c.seen.length]).toEqual([0, 0]);
  });

  test('that all refuse, and that starts the first replica of one, is sent there for those that follow', async () => {
    const [a, b, c] = (await fleetOf(3)) as [TestNode, TestNode, TestNode];
    const refusal = new SkeinError('NO_REPLICA', 'It has none.', { retryAfterMs: 90 });
    b.prediction = () => ({ refusal });
    c.prediction = () => ({ refusal, wakes: true });
    expect(await codeOf(a.forwarding.inference.infer(request()))).toBe('DEADLINE_UNREACHABLE');
    expect([b.seen.length, c.seen.length]).toEqual([0, 1]);
  });

  test('that fails where it runs is not run again', async () => {
    const [a, b, c] = (await fleetOf(3)) as [TestNode, TestNode, TestNode];
    b.behave = c.behave = () =>
      Promise.reject(new SkeinError('INPUT_REJECTED', 'Row 3 is out of range.'));
    const error = (await a.forwarding.inference
      .infer(request())
      .catch((e: unknown) => e)) as SkeinError;
    expect(error).toMatchObject({ code: 'INPUT_REJECTED', message: 'Row 3 is out of range.' });
    expect(b.seen.length + c.seen.length).toBe(1);
  });

  test('for a version that no other member holds is refused as before, and none is asked', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    expect(await codeOf(a.forwarding.inference.infer(request({ version: '9' })))).toBe(
      'DEADLINE_UNREACHABLE',
    );
    expect(b.sockets.size).toBe(0);
    expect(a.forwarding.counters.refused.no_holder).toBe(1);
  });

  test('that its caller cancels is cancelled where it runs', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = hangs;
    const cancellation = new Cancellation();
    const outcome = codeOf(a.forwarding.inference.infer(request({ cancellation })));
    await expect.poll(() => b.seen.length, PATIENT).toBe(1);
    cancellation.cancel();
    expect(await outcome).toBe('CANCELLED');
    await expect.poll(() => b.seen[0]?.cancellation?.cancelled, PATIENT).toBe(true);
  });

  test('whose caller has left meanwhile is sent to none', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = doubled;
    const cancellation = new Cancellation();
    cancellation.cancel();
    expect(await codeOf(a.forwarding.inference.infer(request({ cancellation })))).toBe('CANCELLED');
    await a.forwarding.inference.infer(request({ id: 'r2' }));
    expect(b.seen.map(({ id }) => id)).toEqual(['r2']);
  });

  test('ends at its deadline where the member that took it is silent', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    b.behave = doubled;
    await a.forwarding.inference.infer(request());
    b.behave = hangs;
    const deadline = performance.now() + 500;
    expect(await codeOf(a.forwarding.inference.infer(request({ deadline })))).toBe(
      'DEADLINE_EXCEEDED',
    );
    await expect.poll(() => b.seen[1]?.cancellation?.cancelled, PATIENT).toBe(true);
  });

  test('answers in chunks as they come, to their end', async () => {
    const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
    const chunk = (value: number): TensorMap =>
      new Map([['y', tensor('float32', [1], Float32Array.of(value))]]);
    b.behave = async () => ({
      ...answer(chunk(0)),
      rest: (async function* () {
        for (let i = 1; i <= 20; i++) yield await Promise.resolve(chunk(i));
      })(),
    });
    const got = await a.forwarding.inference.infer(request({ takesChunks: true }));
    const received = [numbers(got)[0]];
    for await (const outputs of got.rest!) received.push(numbers({ ...got, outputs })[0]);
    expect(received).toEqual(Array.from({ length: 21 }, (_, i) => i));
  });
});

test('a full member is not sent a request like the one that it has refused until it may have capacity', async () => {
  let now = 1000;
  const [a, b] = (await fleetOf(2, { clock: { now: () => now } })) as [TestNode, TestNode];
  a.behave = b.behave = () =>
    Promise.reject(new SkeinError('DEADLINE_UNREACHABLE', 'It is full.', { retryAfterMs: 100 }));
  const ask = async (leftMs: number, rows = 1): Promise<number> => {
    const x = tensor('float32', [rows], new Float32Array(rows));
    await codeOf(
      a.forwarding.inference.infer(
        request({ deadline: now + leftMs, inputs: new Map([['x', x]]) }),
      ),
    );
    return b.seen.length;
  };
  expect(await ask(5000, 4)).toBe(1);
  expect(await ask(5000, 4)).toBe(1);
  // It may take a smaller request, or one that has more time.
  expect(await ask(5000, 3)).toBe(2);
  expect(await ask(5000, 3)).toBe(2);
  expect(await ask(5200, 3)).toBe(3);
  now += 101;
  expect(await ask(5000, 4)).toBe(4);
});

test('when no member ever has capacity, few of the refused requests still ask', async () => {
  const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
  a.behave = full;
  for (let i = 0; i < 400; i++) await codeOf(a.forwarding.inference.infer(request()));
  expect(a.forwarding.counters.refused.fleet_full).toBeGreaterThan(100);
  expect(b.seen.length).toBeLessThan(300);
});

test('for what is not here every request asks, however many were refused before', async () => {
  const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
  a.behave = () => Promise.reject(new SkeinError('NO_REPLICA', 'It is elsewhere.'));
  for (let i = 0; i < 100; i++) await codeOf(a.forwarding.inference.infer(request()));
  b.behave = doubled;
  for (let i = 0; i < 10; i++) {
    expect(numbers(await a.forwarding.inference.infer(request()))).toEqual([2, 4]);
  }
  expect(a.forwarding.counters.refused.fleet_full).toBe(0);
});

test('a change of a deployment is carried out by the member that is asked, and its refusal arrives', async () => {
  const [a, b] = (await fleetOf(2)) as [TestNode, TestNode];
  const peer = a.forwarding.peer('member-1')!;
  const asked = { change: 'deploy', parameters: [{ name: 'risk' }], actor: 'ann' } as const;
  b.change = (change) => Promise.resolve({ change });
  expect(await peer.change(asked)).toEqual({ result: { change: asked } });
  b.change = () => Promise.reject(new SkeinError('FLEET_MEMORY', 'It is full.'));
  await expect(peer.change(asked)).rejects.toMatchObject({ code: 'FLEET_MEMORY' });
  b.change = () => new Promise(() => {});
  const lost = expect(peer.change(asked)).rejects.toMatchObject({ code: 'PEER_LOST' });
  await expect.poll(() => b.sessions.size, PATIENT).toBeGreaterThan(0);
  b.kill();
  await lost;
  // Nothing is sent to one that cannot be reached: the next holder may be asked.
  expect(await peer.change(asked)).toBeUndefined();
  expect(a.forwarding.holders('risk')).toEqual(['member-1']);
  expect(a.forwarding.peer('unknown')).toBeUndefined();
});
