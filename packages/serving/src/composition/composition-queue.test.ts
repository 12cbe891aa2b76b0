import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompositionQueue } from './composition-queue.ts';
import { CompositionRun } from './composition-run.ts';
import { request } from './testing/scene.ts';

const OBJECTIVE_MS = 100;
let lastId = 0;
function run(tenant: string, deadline: number, priority = 0): CompositionRun {
  const asked = request('', [], { tenant, deadline, priority });
  return new CompositionRun(
    ++lastId,
    asked,
    0,
    1,
    () => {},
    () => {},
  );
}
const queueOf = (maxRequests = 100) =>
  new CompositionQueue({
    maxRequests,
    objectiveMs: OBJECTIVE_MS,
    weightOf: (tenant) => (tenant === 'large' ? 3 : 1),
  });
function drained(queue: CompositionQueue): CompositionRun[] {
  const order: CompositionRun[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) order.push(next);
  return order;
}

describe('the queue of a composition', () => {
  it('orders one tenant by deadline, which a priority level moves by half an objective', () => {
    const asked = fc.record({ deadline: fc.nat(1000), priority: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(asked, { maxLength: 40 }), (all) => {
        const queue = queueOf();
        const turn = ({ deadline, priority }: { deadline: number; priority: number }) =>
          deadline + ((priority === 0 ? 3 : Math.min(priority, 5)) - 3) * (OBJECTIVE_MS / 2);
        for (const { deadline, priority } of all) queue.push(run('a', deadline, priority), 0);
        const order = drained(queue).map((each) => turn(each.request));
        expect(order).toEqual(all.map(turn).toSorted((one, other) => one - other));
        expect(queue.length).toBe(0);
      }),
    );
  });

  it('serves tenants by their weights, whatever the order and number of their requests', () => {
    const queue = queueOf();
    for (let i = 0; i < 40; i++) queue.push(run('flood', 1), 0);
    for (let i = 0; i < 40; i++) queue.push(run('large', 1000), 0);
    const firstTwenty = drained(queue)
      .slice(0, 20)
      .map(({ request: { tenant } }) => tenant);
    expect(firstTwenty.filter((tenant) => tenant === 'large')).toHaveLength(15);
  });

  it('keeps places for other tenants when one tenant floods', () => {
    const queue = queueOf(10);
    expect(queue.full('late', 0)).toBeUndefined();
    let accepted = 0;
    while (queue.full('flood', 0) === undefined) {
      queue.push(run('flood', 1), 0);
      accepted++;
    }
    expect(accepted).toBeLessThan(10);
    expect(queue.full('flood', 0)).toBe(accepted);
    expect(queue.full('late', 0)).toBeUndefined();
    while (queue.length < 10) queue.push(run('late', 1), 0);
    expect(queue.full('late', 0)).toBe(10 - accepted);
  });

  it('drops removed requests', () => {
    const queue = queueOf();
    const [one, two] = [run('a', 1), run('a', 2)];
    queue.push(one, 0);
    queue.push(two, 0);
    expect(queue.remove(one)).toBe(true);
    expect(queue.remove(one)).toBe(false);
    expect(queue.first).toBe(two);
    expect(drained(queue)).toEqual([two]);
  });
});
