/** A prediction of the dispatcher equals its later action, and predicting has no effect. */
import type { NumericTensor } from '@skein/onnx';
import { describe, expect, test } from 'vitest';
import { type Instant } from '../../contract.ts';
import { LatencyModel } from '../cost/latency-model.ts';
import { Scheduler } from '../policy/scheduler.ts';
import { Ticket } from '../queue/ticket.ts';
import { codeOf, MLP, request, row, serve } from '../testing/harness.ts';

/** A tensor of so many rows whose bytes cannot be read. */
const shapeOnly = (rows: number): NumericTensor =>
  ({
    type: 'float32',
    shape: [rows, 4],
    bytes: { byteLength: 16 * rows },
  }) as unknown as NumericTensor;

describe('a dispatcher predicts', () => {
  test('an answer in time from the shapes alone, and counts no request', async () => {
    const { dispatcher, observed } = await serve(MLP, { finiteOnly: true });
    const { finishMs, refusal } = dispatcher.predict!(request(shapeOnly(1)));
    expect(refusal).toBeUndefined();
    expect(finishMs).toBeGreaterThan(0);
    expect(finishMs).toBeLessThan(10_000);
    expect(dispatcher.snapshot()).toMatchObject({
      arrivedRequests: 0,
      queuedRequests: 0,
      refused: {},
    });
    expect(observed).toMatchObject({ refused: [], batches: [] });
  });

  test('the refusal that the request would get', async () => {
    const { dispatcher } = await serve(MLP);
    const cases = [
      request(row(1, 2, 3, 4), { deadline: performance.now() - 1 }),
      request(row(1, 2, 3)),
      request(row(1, 2, 3, 4), { outputs: ['z'] }),
    ];
    for (const one of cases) {
      const { refusal, finishMs } = dispatcher.predict!(one);
      expect(finishMs).toBeUndefined();
      expect(refusal?.code).toBe(await codeOf(dispatcher.submit(one)));
    }
  });

  test('an answer of the replica that the request would wake, and wakes none', async () => {
    const { dispatcher } = await serve(MLP);
    dispatcher.scaleTo(0);
    await expect.poll(() => dispatcher.snapshot().replicas.length, { timeout: 30_000 }).toBe(0);
    const later = (ms: number) => request(row(1, 2, 3, 4), { deadline: performance.now() + ms });
    expect(dispatcher.predict!(later(600_000))).toMatchObject({ wakes: true });
    expect(dispatcher.predict!(later(600_000)).finishMs).toBeGreaterThan(0);
    const refused = dispatcher.predict!(later(0));
    expect([refused.refusal?.code, refused.wakes]).toEqual(['NO_REPLICA', true]);
    expect(dispatcher.snapshot().replicas).toEqual([]);
    // It is the deployment that wakes it.
    expect(await codeOf(dispatcher.submit(later(600_000)))).toBe('NO_REPLICA');
  });

  test('no answer once it drains', async () => {
    const { dispatcher } = await serve(MLP);
    await dispatcher.drain();
    expect(dispatcher.predict!(request(row(1, 2, 3, 4))).refusal?.code).toBe('NODE_DRAINING');
  });
});

describe('a scheduler', () => {
  test('judges as it then decides, and a finish that grows with its queue', () => {
    const scheduler = new Scheduler<number>({
      maxRows: 1,
      maxRequests: 100,
      objectiveMs: 100,
      weightOf: () => 1,
    });
    const curve = new LatencyModel().curve([1]);
    for (let i = 0; i < 20; i++) curve.seed(1, 10);
    const idle = { rows: 0, startedAt: 0, freeAt: 0, freeBy: 0, idleSince: 0, isProbe: false };
    scheduler.servers.list.push(idle);
    scheduler.serversChanged();
    const lane = scheduler.queue.addLane('', true, curve);
    const ticket = (deadline: Instant): Ticket<number> =>
      new Ticket(0, lane, scheduler.queue.tenant('a', 0), 1, deadline, 3);
    const finishes: number[] = [];
    for (;;) {
      const judged = ticket(100);
      const verdict = scheduler.judge(judged, 0);
      expect(scheduler.judge(ticket(100), 0)).toBe(verdict);
      if (verdict === undefined) finishes.push(scheduler.finishMs(judged, 0));
      expect(scheduler.queue.requests).toBe(finishes.length - (verdict === undefined ? 1 : 0));
      expect(scheduler.offer(ticket(100), 0)).toBe(verdict);
      if (verdict !== undefined) break;
    }
    expect(finishes.length).toBeGreaterThan(4);
    expect(finishes).toEqual([...finishes].sort((a, b) => a - b));
    expect(finishes.at(-1)).toBeGreaterThan(finishes[0]! + 10 * (finishes.length - 2));
    expect(finishes.at(-1)).toBeLessThanOrEqual(100);
  });
});
