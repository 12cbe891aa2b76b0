/** Members of a fleet, each a process, of which one stands still while it has requests of others. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startLoad } from '../../testing/load.ts';
import {
  askSlow,
  metricOf,
  openSlowFleet,
  PATIENT,
  type SlowFleet,
} from '../../testing/slow-fleet.ts';
import { replicaProcessesOf } from '../../testing/replica-processes.ts';
import { slowModel } from '../../testing/slow-model.ts';

let fleet: SlowFleet;
beforeEach(async () => {
  fleet = await openSlowFleet();
});
afterEach(() => fleet.close());

const HEDGES = 'skein_fleet_hedges_total';

test('what a stopped member has taken is answered by another one, long before its deadline', async () => {
  const hedges = ['--hedges', '100'];
  // The first one has no room for the model, and forwards everything.
  const a = await fleet.start({ args: ['--model-memory', '1MiB', ...hedges] });
  const [b, c] = [await fleet.start({ args: hedges }), await fleet.start({ args: hedges })];
  await b.deploy('slow', slowModel(6), {
    objective: { latencyMs: 120_000 },
    replicas: { min: 1, max: 1 },
    batching: { maxRows: 1 },
    isolation: 'process',
  });
  await expect.poll(() => askSlow(a), PATIENT).toBe('answered');
  await expect
    .poll(async () => {
      const { members } = await a.client.getFleet();
      return members.filter(({ loaded }) => loaded.length > 0).length;
    }, PATIENT)
    .toBe(2);
  const load = startLoad(8, () => askSlow(a));
  const received = async (): Promise<number> =>
    (await metricOf(b, 'skein_fleet_received_total'))['requests'] ?? 0;
  const before = await received();
  await expect.poll(received, PATIENT).toBeGreaterThan(before + 10);
  await expect
    .poll(async () => {
      process.kill(b.pid, 'SIGSTOP');
      const { answered } = await metricOf(a, 'skein_fleet_forwards_total');
      await expect
        .poll(async () => (await metricOf(a, 'skein_fleet_forwards_total'))['answered'], PATIENT)
        .toBeGreaterThan(answered! + 3);
      const { second } = await metricOf(a, HEDGES);
      process.kill(b.pid, 'SIGCONT');
      return second;
    }, PATIENT)
    .toBeGreaterThan(0);
  await load.stop();
  expect([...load.outcomes.keys()]).toEqual(['answered']);
  expect((await metricOf(c, 'skein_fleet_received_total'))['requests']).toBeGreaterThan(0);
  const id = (await self(a))!;
  // Members tell each other with the renewal of their leases.
  await expect
    .poll(async () => (await a.run('fleet', 'show', id, '--server', a.url)).stdout, PATIENT)
    .toMatch(/sent twice +.*second/);
}, 180_000);

test('what is sent to a second member counts once for the limits of its key', async () => {
  const admin = `skein_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  const hedges = ['--hedges', '100'];
  const a = await fleet.start({ admin, args: ['--model-memory', '1MiB', ...hedges] });
  const b = await fleet.start({ admin });
  const c = await fleet.start({ admin });
  await b.deploy('slow', slowModel(6), {
    objective: { latencyMs: 120_000 },
    replicas: { min: 1, max: 1 },
    batching: { maxRows: 1 },
    isolation: 'process',
  });
  await expect
    .poll(async () => {
      const { members } = await a.client.getFleet();
      return members.filter(({ loaded }) => loaded.length > 0).length;
    }, PATIENT)
    .toBe(2);
  // One request at a time: a second copy that counted would be refused, or its request would.
  const { secret } = await a.client.createKey({
    label: 'l',
    tenant: 't',
    scopes: ['infer'],
    maxConcurrent: 1,
  });
  await expect.poll(() => askSlow(a, secret), PATIENT).toBe('answered');
  const second = async (): Promise<number> => (await metricOf(a, HEDGES, admin))['second'] ?? 0;
  await expect
    .poll(async () => {
      // The member that answers faster is not always asked first.
      for (const member of [b, c]) {
        // Answers from which the next ones are known to be late.
        for (let i = 0; i < 5; i++) expect(await askSlow(a, secret)).toBe('answered');
        // Its replica alone: a member that stands still would not be asked.
        const [replica] = replicaProcessesOf(member.pid);
        process.kill(replica!, 'SIGSTOP');
        expect(await askSlow(a, secret)).toBe('answered');
        process.kill(replica!, 'SIGCONT');
      }
      return second();
    }, PATIENT)
    .toBeGreaterThan(0);
}, 180_000);

test('what a node has begun and a second one answers counts once for the rate of its key, at the first', async () => {
  const admin = `skein_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  const hedges = ['--hedges', '100'];
  const a = await fleet.start({ admin, args: hedges });
  const b = await fleet.start({ admin });
  await a.deploy('slow', slowModel(1), {
    objective: { latencyMs: 120_000 },
    replicas: { min: 1, max: 1 },
    isolation: 'process',
  });
  await expect
    .poll(async () => {
      const { members } = await a.client.getFleet();
      return members.filter(({ loaded }) => loaded.length > 0).length;
    }, PATIENT)
    .toBe(2);
  // What is usual, of which a request to a stopped replica is late.
  for (let i = 0; i < 100; i++) expect(await askSlow(a, admin)).toBe('answered');
  // One request on each node, and the next one in hours.
  const { secret } = await a.client.createKey({
    label: 'l',
    tenant: 't',
    scopes: ['infer'],
    ratePerSecond: 1e-4,
  });
  await expect.poll(() => askSlow(b, secret), PATIENT).toBe('answered');
  expect(await askSlow(b, secret)).toBe('RATE_LIMITED');
  const second = async (): Promise<number> => (await metricOf(a, HEDGES, admin))['second'] ?? 0;
  const before = await second();
  const [replica] = replicaProcessesOf(a.pid);
  process.kill(replica!, 'SIGSTOP');
  expect(await askSlow(a, secret)).toBe('answered');
  expect(await second()).toBe(before + 1);
  expect(await askSlow(a, secret)).toBe('RATE_LIMITED');
  // One that stands still would outlive its node.
  process.kill(replica!, 'SIGCONT');
}, 180_000);

async function self({ client }: Parameters<typeof askSlow>[0]): Promise<string | undefined> {
  const { members } = await client.getFleet();
  return members.find((member) => member.self)?.id;
}
