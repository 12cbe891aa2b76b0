/** Nodes of a fleet whose connection to each other is cut or slow, and whose clocks differ. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startLoad } from '../../testing/load.ts';
import type { NodeProcess } from '../../testing/node-process.ts';
import {
  askSlow,
  CODED,
  deploySlow,
  metricOf,
  openSlowFleet,
  PATIENT,
  type SlowFleet,
  together,
} from '../../testing/slow-fleet.ts';
import { startTcpProxy, type TcpProxy } from '../../testing/tcp-proxy.ts';

/** How often the connection is cut and healed. */
const ROUNDS = process.env['SKEIN_FULL'] === '1' ? 50 : 2;
const ROUND_MS = 20_000;
const HOUR_MS = 3_600_000;

let fleet: SlowFleet;
let proxy: TcpProxy;
beforeEach(async () => {
  fleet = await openSlowFleet();
  proxy = await startTcpProxy();
});
afterEach(async () => {
  await fleet.close();
  proxy.close();
});

/** A node that others reach through the proxy alone. */
async function startBehind(env: Readonly<Record<string, string>> = {}): Promise<NodeProcess> {
  const node = await fleet.start({ args: ['--advertise', proxy.url], env });
  proxy.target = node.port;
  return node;
}

const forwarded = async (node: NodeProcess): Promise<number> =>
  (await metricOf(node, 'skein_fleet_forwards_total'))['answered'] ?? 0;

describe('two nodes', { timeout: 180_000 + ROUNDS * ROUND_MS }, () => {
  test('whose connection is cut lose no request, and use it again when it is back', async () => {
    const a = await fleet.start();
    await deploySlow(a);
    const b = await startBehind();
    await together(a, b);
    for (let round = 0; round < ROUNDS; round++) {
      const load = startLoad(10, () => askSlow(a));
      const before = await forwarded(a);
      await expect.poll(() => forwarded(a), PATIENT).toBeGreaterThan(before);
      proxy.cut();
      await expect
        .poll(async () => (await metricOf(a, 'skein_fleet_members_left_out'))[''], PATIENT)
        .toBe(1);
      const during = await forwarded(a);
      const alone = load.of('answered');
      await expect.poll(() => load.of('answered'), PATIENT).toBeGreaterThan(alone + 10);
      expect(await forwarded(a)).toBe(during);
      proxy.heal();
      await expect.poll(() => forwarded(a), PATIENT).toBeGreaterThan(during);
      await load.stop();
      for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    }
  });

  test('over a slow connection end each request with an answer or a code', async () => {
    const a = await fleet.start();
    await deploySlow(a);
    const b = await startBehind();
    await together(a, b);
    // There and back takes longer than the objective.
    proxy.delayMs = 200;
    const load = startLoad(10, () => askSlow(a));
    await expect.poll(() => load.of('answered'), PATIENT).toBeGreaterThan(20);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
  });

  test('whose clocks differ by an hour answer for each other: only remaining time travels', async () => {
    const a = await fleet.start();
    await deploySlow(a);
    const shift = `const now=Date.now;Date.now=()=>now()+${HOUR_MS}`;
    const b = await startBehind({
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(shift)}`,
    });
    await together(a, b);
    const load = startLoad(10, () => askSlow(a));
    const before = await forwarded(a);
    await expect.poll(() => forwarded(a), PATIENT).toBeGreaterThan(before + 5);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    for (const node of [a, b]) {
      const { members, alerts } = await node.client.getFleet();
      expect([members.length, alerts]).toEqual([2, []]);
    }
  });
});
