/** An upgrade of a fleet, member by member, to a version that reads a newer schema of the shared state. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerOf, deployVersion } from '../../testing/fleet.ts';
import type { NodeProcess } from '../../testing/node-process.ts';
import { openSlowFleet, PATIENT, type SlowFleet } from '../../testing/slow-fleet.ts';

const MEMBERS = join(import.meta.dirname, '../../../../state/src/members/members.ts');
/** The next version: it reads this one's schema, and one more. */
const NEXT = `import { SCHEMA } from '${pathToFileURL(MEMBERS).href}'; SCHEMA.reads[1] = 2;`;
const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(NEXT)}` };

let fleet: SlowFleet;
beforeEach(async () => {
  fleet = await openSlowFleet();
});
afterEach(() => fleet.close());

const finalise = async (node: NodeProcess): Promise<string> =>
  (await node.run('fleet', 'finalise', '--server', node.url)).stdout;

test('two adjacent versions are one fleet until it is finalised, which keeps the old one out', async () => {
  const old = await fleet.start();
  const next = await fleet.start({ env });
  await deployVersion(old, 'risk', 1);
  await expect.poll(() => answerOf(next, 'risk'), PATIENT).toBe('1');
  await deployVersion(next, 'risk', 2);
  await expect.poll(() => answerOf(old, 'risk'), PATIENT).toBe('2');
  expect((await old.client.getFleet()).schema).toEqual({ written: 1, common: 1 });
  expect(await finalise(next)).toContain('writes schema 1 already');

  await old.stop();
  await expect
    .poll(async () => (await next.client.getFleet()).schema, PATIENT)
    .toEqual({ written: 1, common: 2 });
  const { alerts } = await next.client.getFleet();
  expect(alerts).toMatchObject([
    { kind: 'schema', fix: expect.stringContaining('fleet finalise') },
  ]);
  expect(await finalise(next)).toContain('2');
  const { schema, alerts: left } = await next.client.getFleet();
  expect([schema, left]).toEqual([{ written: 2, common: 2 }, []]);
  await expect(fleet.start()).rejects.toMatchObject({ code: 'STATE_TOO_NEW' });
  const third = await fleet.start({ env });
  await expect.poll(() => answerOf(third, 'risk'), PATIENT).toBe('2');
}, 180_000);
