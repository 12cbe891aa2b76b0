import { seededRandom } from '@skein/onnx';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeadlineQueue } from './deadline-queue.ts';
import { LatencyModel } from '../cost/latency-model.ts';
import { Ticket } from './ticket.ts';

const LEVEL_MS = 100;

function setUp(weights: Record<string, number> = {}) {
  const queue = new DeadlineQueue<number>({
    weightOf: (tenant) => weights[tenant] ?? 1,
    levelMs: LEVEL_MS,
  });
  const curve = new LatencyModel().curve([1]);
  let id = 0;
  const push = (deadline: number, tenant = 'a', lane = '', level = 3, now = 0): Ticket<number> => {
    const ticket = new Ticket(
      id++,
      queue.lane(lane) ?? queue.addLane(lane, true, curve),
      queue.tenant(tenant, now),
      1,
      deadline,
      level,
    );
    ticket.startBy = deadline;
    ticket.work = 1;
    queue.push(ticket);
    return ticket;
  };
  /** Serves the next request. */
  const serve = (): Ticket<number> | undefined => {
    const next = queue.next();
    if (next === undefined) return undefined;
    queue.remove(next);
    queue.charge(next.tenant, next.work);
    return next;
  };
  return { queue, push, serve };
}

describe('deadline queue', () => {
  test('serves one tenant by deadline, whatever is added and removed in between', () => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ push: fc.nat(30), lane: fc.constantFrom('', 'x', 'y') }),
      },
      { weight: 1, arbitrary: fc.constant('serve' as const) },
      { weight: 1, arbitrary: fc.record({ cancel: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const { queue, push, serve } = setUp();
        const sorted: Ticket<number>[] = [];
        const insert = (ticket: Ticket<number>): void => {
          const at = sorted.findIndex(({ deadline }) => deadline > ticket.deadline);
          sorted.splice(at < 0 ? sorted.length : at, 0, ticket);
        };
        for (const each of steps) {
          if (each === 'serve') expect(serve()).toBe(sorted.shift());
          else if ('push' in each) insert(push(each.push, 'a', each.lane));
          else if (sorted.length > 0) {
            const [ticket] = sorted.splice(each.cancel % sorted.length, 1);
            queue.remove(ticket!);
          }
          expect(queue.requests).toBe(sorted.length);
          expect(queue.rows).toBe(sorted.length);
          expect(queue.timeline.work).toBe(sorted.length);
        }
        while (sorted.length > 0) expect(serve()).toBe(sorted.shift());
        expect(queue.next()).toBeUndefined();
      }),
    );
  });

  test('a tenant that floods gets no more than its share while another waits', () => {
    const { push, serve } = setUp();
    for (let i = 0; i < 1_000; i++) push(i, 'flood');
    for (let i = 0; i < 10; i++) push(10_000 + i, 'light');
    const order = Array.from({ length: 20 }, () => serve()!.tenant.name);
    expect(order.filter((name) => name === 'light')).toHaveLength(10);
  });

  test('shares follow the weights, and an absent tenant gains no credit', () => {
    const { push, serve } = setUp({ heavy: 3 });
    for (let i = 0; i < 400; i++) push(i, 'light');
    for (let i = 0; i < 200; i++) serve();
    for (let i = 0; i < 400; i++) push(i, 'heavy');
    const served = Array.from({ length: 80 }, () => serve()!.tenant.name);
    expect(served.filter((name) => name === 'heavy')).toHaveLength(60);
  });

  test('a level moves a deadline by a fixed time, so that waiting makes up for it', () => {
    const { push, serve } = setUp();
    const low = push(1_000, 'a', '', 5);
    const urgent = push(1_000 + 4 * LEVEL_MS - 1, 'a', '', 1);
    expect(serve()).toBe(urgent);
    const late = push(1_000 + 4 * LEVEL_MS + 1, 'a', '', 1);
    expect(serve()).toBe(low);
    expect(serve()).toBe(late);
  });

  test('no stream of urgent requests keeps a low one waiting for ever', () => {
    const { push, serve } = setUp();
    const low = push(500, 'a', '', 5);
    let waited = 0;
    for (let now = 0; ; now++) {
      push(now + 500, 'a', '', 1);
      if (serve() === low) break;
      waited++;
    }
    expect(waited).toBeLessThanOrEqual(4 * LEVEL_MS + 1);
  });

  test('a changed weight of an active tenant takes effect within seconds', () => {
    const weights: Record<string, number> = {};
    const { push, serve } = setUp(weights);
    const servedOf = (tenant: string, from: number): number => {
      let served = 0;
      for (let now = from; now < from + 4_000; now++) {
        push(now + 500, 'a', '', 3, now);
        push(now + 500, 'b', '', 3, now);
        if (serve()!.tenant.name === tenant) served++;
      }
      return served / 4_000;
    };
    expect(servedOf('b', 0)).toBeCloseTo(0.5, 2);
    weights['b'] = 3;
    servedOf('b', 10_000);
    expect(servedOf('b', 20_000)).toBeCloseTo(0.75, 2);
  });

  test('a tenant leaves free time only after another tenant was seen', () => {
    const { queue } = setUp({ b: 3 });
    const a = queue.tenant('a', 0);
    expect(queue.reachOf(a)).toBe(Infinity);
    const b = queue.tenant('b', 0);
    expect(queue.reachOf(b)).toBe(3 * queue.reachOf(a));
    queue.tenant('a', 120_000);
    expect(queue.reachOf(a)).toBe(Infinity);
  });

  test('removed lanes and tenants leave nothing behind', () => {
    const { queue, push, serve } = setUp();
    const random = seededRandom(1);
    for (let i = 0; i < 5_000; i++) {
      const now = i * 1_000;
      push(now + random.next() * 100, `tenant ${i}`, `lane ${i}`, 3, now);
      expect(serve()!.payload).toBe(i);
    }
    expect(queue.requests).toBe(0);
    const lanes = Array.from({ length: 5_000 }, (_, i) => queue.lane(`lane ${i}`));
    expect(lanes.filter((lane) => lane !== undefined).length).toBeLessThanOrEqual(256);
  });
});
