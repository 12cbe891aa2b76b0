import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeadlineQueue } from './deadline-queue.ts';
import { LatencyModel } from '../cost/latency-model.ts';
import { Ticket } from './ticket.ts';
import { Timeline, type Standing } from './timeline.ts';

const queue = new DeadlineQueue<number>({ weightOf: () => 1, levelMs: 100 });
const lane = queue.addLane('', true, new LatencyModel().curve([1]));
const tenant = queue.tenant('a', 0);

function ticket(deadline: number, startBy: number, work: number): Ticket<number> {
  const made = new Ticket(0, lane, tenant, 1, deadline, 3);
  made.startBy = startBy;
  made.work = work;
  return made;
}

/** The reference implementation: a sorted list and prefix sums. */
class Oracle {
  replicas = 1;
  list: Ticket<number>[] = [];

  insert(entry: Ticket<number>): void {
    const position = this.list.findIndex(({ deadline }) => deadline > entry.deadline);
    this.list.splice(position < 0 ? this.list.length : position, 0, entry);
  }

  latestFree(from = 0): number {
    let before = 0;
    let latest = Infinity;
    this.list.forEach((entry, i) => {
      if (i >= from) latest = Math.min(latest, this.replicas * entry.startBy - before);
      before += entry.work;
    });
    return latest;
  }

  get work(): number {
    return this.list.reduce((sum, entry) => sum + entry.work, 0);
  }
}

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('insert' as const),
      deadline: fc.nat(40),
      slack: fc.nat(30),
      work: fc.nat(9),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const), at: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('reprice' as const), at: fc.nat(), work: fc.nat(9) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('replicas' as const),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('scale' as const) }) },
);

describe('timeline', () => {
  test('agrees with a sorted list after any operations', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), fc.nat(45), (operations, probe) => {
        const timeline = new Timeline<number>();
        const oracle = new Oracle();
        let scales = 0;
        for (const step of operations) {
          const { list } = oracle;
          if (step.kind === 'insert') {
            const entry = ticket(step.deadline, step.deadline - step.slack, step.work);
            timeline.insert(entry);
            oracle.insert(entry);
          } else if (step.kind === 'replicas') {
            timeline.setReplicas(step.count);
            oracle.replicas = step.count;
          } else if (step.kind === 'scale') {
            // Few distinct times, so that sums stay integers.
            if (scales++ > 10) continue;
            const before = list.map(({ deadline, startBy, work }) => [deadline - startBy, work]);
            timeline.scale(2);
            list.forEach(({ deadline, startBy, work }, i) => {
              expect([deadline - startBy, work]).toEqual(before[i]!.map((ms) => 2 * ms));
            });
          } else if (list.length > 0) {
            const entry = list[step.at % list.length]!;
            if (step.kind === 'remove') {
              timeline.remove(entry);
              list.splice(list.indexOf(entry), 1);
            } else if (step.kind === 'restore') {
              timeline.remove(entry);
              timeline.restore(entry);
            } else {
              timeline.reprice(entry, step.work);
            }
          }
          expect(timeline.first).toBe(list[0]);
          expect(timeline.work).toBe(oracle.work);
          expect(timeline.latestFree).toBe(oracle.latestFree());
        }
        const seen: Ticket<number>[] = [];
        timeline.each((entry) => seen.push(entry) > 0);
        expect(seen).toEqual(oracle.list);

        const standing: Standing<number> = {
          before: undefined,
          workBefore: 0,
          latestFreeBehind: 0,
        };
        timeline.standing(probe, standing);
        const behind = oracle.list.filter(({ deadline }) => deadline > probe).length;
        const position = oracle.list.length - behind;
        const before = oracle.list.slice(0, position);
        expect(standing.before).toBe(before.at(-1));
        expect(standing.workBefore).toBe(before.reduce((sum, { work }) => sum + work, 0));
        expect(standing.latestFreeBehind).toBe(oracle.latestFree(position));
      }),
      { numRuns: 300 },
    );
  });

  test('stays shallow if deadlines are inserted in order', () => {
    const timeline = new Timeline<number>();
    for (let i = 0; i < 20_000; i++) timeline.insert(ticket(i, i, 1));
    const depth = (node: Ticket<number> | undefined): number =>
      node === undefined ? 0 : 1 + Math.max(depth(node.left), depth(node.right));
    let root: Ticket<number> | undefined;
    timeline.each((node) => {
      if (node.totalWork === 20_000) root = node;
      return root === undefined;
    });
    expect(depth(root)).toBeLessThan(60);
  });
});
