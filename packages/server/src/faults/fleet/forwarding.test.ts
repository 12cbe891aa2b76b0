/** Nodes of a fleet, each a process over a real Redis, that answer for each other. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { roundsOf } from '../../../../jobs/src/faults/testing/fault-size.ts';
import { startLoad } from '../../testing/load.ts';
import {
  askSlow,
  CODED,
  deploySlow,
  KEY,
  metricOf,
  openSlowFleet,
  PATIENT,
  type SlowFleet,
  together,
} from '../../testing/slow-fleet.ts';

const ROUNDS = roundsOf(2);

let fleet: SlowFleet;
beforeEach(async () => {
  fleet = await openSlowFleet();
});
afterEach(() => fleet.close());

/** A round starts a node, loads it, and kills it. */
const ROUND_MS = 20_000;

describe('two nodes', { timeout: 180_000 + ROUNDS * ROUND_MS }, () => {
  test('answer together what one of them refuses', async () => {
    const [a, b] = [await fleet.start(), await fleet.start()];
    await deploySlow(a);
    await together(a, b);
    const sentBack = await metricOf(b, 'skein_fleet_forwards_total');
    const load = startLoad(12, () => askSlow(a));
    await expect.poll(() => load.of('answered'), PATIENT).toBeGreaterThan(20);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    const forwards = await metricOf(a, 'skein_fleet_forwards_total');
    const received = await metricOf(b, 'skein_fleet_received_total');
    expect(forwards['answered']).toBeGreaterThan(0);
    expect(received['requests']).toBeGreaterThanOrEqual(forwards['answered']!);
    // One hop: what b refuses, it does not send back.
    expect(await metricOf(b, 'skein_fleet_forwards_total')).toEqual(sentBack);
  });

  test('lose no request when one is killed, round after round', async () => {
    const a = await fleet.start();
    await deploySlow(a);
    for (let round = 0; round < ROUNDS; round++) {
      const b = await fleet.start();
      await together(a, b);
      const load = startLoad(10, () => askSlow(a));
      const before = load.total();
      await expect.poll(() => load.total() - before, PATIENT).toBeGreaterThan(10);
      await b.kill();
      const killed = load.total();
      await expect.poll(() => load.total() - killed, PATIENT).toBeGreaterThan(20);
      await load.stop();
      for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
      expect(load.of('answered')).toBeGreaterThan(0);
    }
  });

  test('that lose a member: the requests that it has taken are answered', async () => {
    const [a, b] = [await fleet.start(), await fleet.start()];
    await deploySlow(a);
    await together(a, b);
    const load = startLoad(10, () => askSlow(a));
    await expect.poll(() => load.total(), PATIENT).toBeGreaterThan(10);
    expect((await b.stop()).code).toBe(0);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    expect((await metricOf(a, 'skein_fleet_forwards_total'))['lost']).toBe(0);
  });

  test('with different keys stay apart', async () => {
    const [a, b] = [
      await fleet.start(),
      await fleet.start({ key: 'another key, of the same length.' }),
    ];
    await deploySlow(a);
    await expect.poll(() => askSlow(b), PATIENT).toBe('answered');
    const load = startLoad(10, () => askSlow(a));
    await expect
      .poll(async () => (await metricOf(a, 'skein_fleet_members_left_out'))[''], PATIENT)
      .toBe(1);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    expect((await metricOf(b, 'skein_fleet_received_total'))['requests']).toBe(0);
    expect(a.log() + b.log()).not.toContain(KEY);
  });
});

test('a key that can be guessed is refused', async () => {
  await expect(fleet.start({ key: 'short' })).rejects.toMatchObject({ code: 'FLEET_KEY_INVALID' });
});
