import { describe, expect, it } from 'vitest';
import type { FleetScale, MemberLoad } from '@skein/api';
import { seededRandom } from '@skein/onnx';
import { decideMembers, startFleetScaling, type LoadedMember } from './fleet-scale.ts';

const CORES = 4;
const START_S = 40;

const load = (more: Partial<MemberLoad> = {}): MemberLoad => ({
  demandCores: 0,
  requestsPerSecond: 0,
  shedPerSecond: 0,
  delayShare: 0,
  busy: false,
  idleMs: 0,
  idleAfterMs: null,
  startMs: 900,
  ...more,
});

interface Second {
  readonly demandCores: number;
  readonly members: number;
  readonly scale: FleetScale;
}

/**
 * A platform that gives the fleet what it asks for, START_S seconds later, and takes members at once.
 * Demand is spread evenly; what the cores cannot carry waits or is refused.
 */
function simulate(
  demand: (second: number) => number,
  seconds: number,
  idleAfterMs: number | null = null,
  members = 1,
): Second[] {
  let scaling = startFleetScaling(members, 0);
  let ready = members;
  const starting: number[] = [];
  const seen: Second[] = [];
  for (let second = 0; second < seconds; second++) {
    while (starting[0] !== undefined && starting[0] <= second) {
      starting.shift();
      ready++;
    }
    const demandCores = demand(second);
    const share = demandCores / Math.max(1, ready);
    const over = share / CORES;
    const each = load({
      demandCores: ready === 0 ? 0 : share,
      requestsPerSecond: share * 100,
      shedPerSecond: over > 1 ? (over - 1) * 100 : 0,
      delayShare: over > 1 ? 1 : over > 0.9 ? 0.6 : 0.1 * over,
      busy: share > 0,
      idleAfterMs,
    });
    const fleet: LoadedMember[] = Array.from({ length: Math.max(1, ready) }, () => ({
      cores: CORES,
      load: each,
    }));
    const { next, scale } = decideMembers(scaling, fleet, second * 1000);
    scaling = next;
    for (let more = ready + starting.length; more < scale.desiredMembers; more++)
      starting.push(second + START_S);
    if (scale.desiredMembers < ready + starting.length) {
      starting.length = Math.max(0, Math.min(starting.length, scale.desiredMembers - ready));
      ready = Math.min(ready, scale.desiredMembers);
    }
    seen.push({ demandCores, members: ready, scale });
  }
  return seen;
}

const changes = (seen: readonly Second[]): number =>
  seen.filter(({ scale }, i) => i > 0 && scale.desiredMembers !== seen[i - 1]!.scale.desiredMembers)
    .length;

describe('how many members a fleet should have', () => {
  it('follows a steady demand to four fifths of the cores, and stays there', () => {
    for (const demand of [1, 7, 30, 100]) {
      const random = seededRandom(demand);
      const seen = simulate(() => demand * (0.95 + 0.1 * random.next()), 1200);
      const { scale } = seen.at(-1)!;
      expect(scale.desiredMembers).toBeGreaterThanOrEqual(Math.ceil(demand / CORES));
      expect(scale.desiredMembers).toBeLessThanOrEqual(Math.ceil((1.05 * demand) / (CORES * 0.6)));
      expect(changes(seen.slice(300))).toBe(0);
    }
  });

  it('meets a flash crowd in one step, and goes back when it has passed', () => {
    const seen = simulate((second) => (second >= 300 && second < 600 ? 40 : 4), 1500, null, 2);
    const [before, during, after] = [seen[290]!, seen[320]!, seen.at(-1)!];
    expect(before.scale.desiredMembers).toBe(2);
    expect(during.scale.desiredMembers).toBeGreaterThanOrEqual(10);
    expect(during.scale.cause).toMatch(/demand|pressure|steady/);
    expect(seen[300 + START_S + 10]!.members * CORES).toBeGreaterThanOrEqual(40);
    expect(after.scale.desiredMembers).toBeLessThanOrEqual(3);
    expect(changes(seen)).toBeLessThan(8);
  });

  it('does not flap with a load that swings every minute', () => {
    const seen = simulate((second) => (second % 60 < 30 ? 20 : 8), 3600);
    // Not one change for each of the 60 swings.
    expect(changes(seen)).toBeLessThan(10);
    expect(seen.at(-1)!.scale.desiredMembers).toBeGreaterThanOrEqual(5);
  });

  it('rests at none when every deployment may, and names the start that the next request waits for', () => {
    const rests = simulate((second) => (second < 100 ? 2 : 0), 400, 60_000);
    expect(rests[150]!.scale.desiredMembers).toBeGreaterThan(0);
    const { scale } = rests.at(-1)!;
    expect(scale).toMatchObject({ desiredMembers: 0, cause: 'idle', coldStartMs: 900 });
    expect(scale.reason).toContain('the next one waits 0.9 s for a member to start');
    // One deployment with a minimum keeps a member.
    expect(simulate(() => 0, 400, null).at(-1)!.scale.desiredMembers).toBe(1);
    // A request wakes it at once.
    const woken = simulate((second) => (second < 100 || second > 300 ? 2 : 0), 310, 60_000);
    expect(woken[301]!.scale).toMatchObject({ desiredMembers: 1, cause: 'woken' });
  });

  it('gives up no member before it has seen the demand of some minutes', () => {
    const seen = simulate(() => 2, 300, null, 5);
    expect(seen[100]!.scale.desiredMembers).toBe(5);
    expect(seen.at(-1)!.scale.desiredMembers).toBe(1);
  });

  it('asks for more than the members that the platform runs, not for more than it asked last', () => {
    const members = Array.from({ length: 5 }, () => ({
      cores: CORES,
      load: load({ delayShare: 0.9 }),
    }));
    const { scale } = decideMembers(startFleetScaling(1, 0), members, 100_000);
    expect(scale).toMatchObject({ desiredMembers: 6, cause: 'pressure' });
    // One busy member among five is for routing to solve.
    const uneven = members.map((each, i) => (i === 0 ? each : { ...each, load: load() }));
    expect(decideMembers(startFleetScaling(5, 0), uneven, 100_000).scale.cause).toBe('steady');
  });
});
