/** The autoscaler against simulated replicas: a fluid queue that serves at `capacity` rows per second and replica. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideReplicas,
  startScaling,
  stepped,
  type ScalingLimits,
  type ScalingSignals,
} from './autoscaler.ts';
import type { ScalingCause } from '../contract.ts';

interface Trace {
  /** Rows that arrive in second `t`. */
  readonly load: (t: number) => number;
  readonly seconds: number;
  readonly limits: ScalingLimits;
  readonly capacity: number;
  /** Seconds until a new replica serves. */
  readonly startup?: number;
  readonly start?: number;
}

interface Step {
  readonly t: number;
  readonly replicas: number;
  readonly delayMs: number;
  readonly shed: number;
  readonly cause: ScalingCause;
  readonly reason: string;
}

function simulate({
  load,
  seconds,
  limits,
  capacity,
  startup = 1,
  start = limits.min,
}: Trace): Step[] {
  let memory = startScaling(0);
  let replicas = start;
  let starting: { ready: number; count: number }[] = [];
  let queue = 0;
  const steps: Step[] = [];
  for (let t = 1; t <= seconds; t++) {
    const ready = replicas - starting.filter((s) => s.ready > t).reduce((n, s) => n + s.count, 0);
    const served = Math.max(0, ready) * capacity;
    const arrived = load(t);
    queue = Math.max(0, queue + arrived - served);
    // Admission refuses requests that could not be answered within the objective.
    const bound = (Math.max(1, ready) * capacity * limits.objectiveMs) / 1000;
    const shed = Math.max(0, queue - bound);
    queue -= shed;
    const delayMs = ready > 0 ? (queue / served) * 1000 : 0;
    const signals: ScalingSignals = {
      rowsPerSecond: arrived,
      shedPerSecond: shed,
      predictedDelayMs: delayMs,
      queued: Math.ceil(queue),
      running: arrived > 0 ? 1 : 0,
      capacity,
      ready,
    };
    const decision = decideReplicas(memory, signals, limits, replicas, t * 1000);
    memory = decision.memory;
    if (decision.replicas !== replicas) {
      memory = stepped(memory, replicas, decision.replicas, t * 1000);
      if (decision.replicas > replicas) {
        starting.push({ ready: t + startup, count: decision.replicas - replicas });
      } else starting = [];
      replicas = decision.replicas;
    }
    steps.push({ t, replicas, delayMs, shed, cause: decision.cause, reason: decision.reason });
  }
  return steps;
}

const turns = (steps: readonly Step[]): number => {
  let count = 0;
  let direction = 0;
  for (let i = 1; i < steps.length; i++) {
    const change = Math.sign(steps[i]!.replicas - steps[i - 1]!.replicas);
    if (change !== 0 && change !== direction) {
      if (direction !== 0) count++;
      direction = change;
    }
  }
  return count;
};

/** The cause of each change of the number of replicas. */
const causes = (steps: readonly Step[]): string[] =>
  steps.flatMap(({ replicas, cause }, i) => {
    const before = steps[i - 1]?.replicas ?? replicas;
    return replicas === before ? [] : [`${replicas > before ? 'up' : 'down'} ${cause}`];
  });

/** Numerical Recipes' generator: a seeded trace is the same on every machine. */
const randomFrom = (seed: number) => (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

const poisson = (mean: number, random: () => number): number => {
  if (mean > 30) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  }
  let k = 0;
  for (let p = Math.exp(-mean), sum = p, u = random(); u > sum && k < 200; sum += p)
    p *= mean / ++k;
  return k;
};

const limits = (min: number, max: number): ScalingLimits => ({ min, max, objectiveMs: 500 });

describe('the autoscaler', () => {
  it('follows a step load up within seconds and down after the hold time', () => {
    const steps = simulate({
      load: (t) => (t <= 20 ? 20 : t <= 80 ? 300 : 20),
      seconds: 200,
      limits: limits(1, 8),
      capacity: 100,
    });
    const at = (t: number): number => steps[t - 1]!.replicas;
    expect(at(20)).toBe(1);
    // 300 rows/s at 80 % load take four replicas.
    expect(at(30)).toBeGreaterThanOrEqual(4);
    expect(steps.slice(32, 80).every(({ shed }) => shed === 0)).toBe(true);
    expect(at(105)).toBe(at(80));
    expect(at(160)).toBe(1);
    expect(new Set(causes(steps).filter((each) => each.startsWith('down')))).toEqual(
      new Set(['down quiet']),
    );
    expect(steps[99]!.cause).toBe('steady');
  });

  it('gives its reason, with the numbers', () => {
    const steps = simulate({
      load: () => 300,
      seconds: 20,
      limits: limits(1, 8),
      capacity: 100,
    });
    const grown = steps.find(({ replicas }, i) => replicas > (steps[i - 1]?.replicas ?? 1));
    expect(['demand', 'pressure']).toContain(grown!.cause);
    expect(grown!.reason).toMatch(
      /a request would wait \d+ ms|rows\/s arrive and one replica carries 100 rows\/s/,
    );
  });

  it('ignores one busy second', () => {
    const steps = simulate({
      load: (t) => (t === 30 ? 115 : 40),
      seconds: 120,
      limits: limits(1, 8),
      capacity: 100,
    });
    expect(Math.max(...steps.map(({ replicas }) => replicas))).toBe(1);
  });

  it('goes to zero after a minute without requests, and starts a replica at the next one', () => {
    const steps = simulate({
      load: (t) => (t <= 10 || t >= 150 ? 10 : 0),
      seconds: 160,
      limits: limits(0, 4),
      capacity: 100,
      start: 1,
    });
    const at = (t: number): number => steps[t - 1]!.replicas;
    expect(at(65)).toBe(1);
    expect(at(75)).toBe(0);
    expect(steps[74]!.reason).toContain('no request');
    expect(causes(steps)).toEqual(['down idle', 'up woken']);
    expect(at(149)).toBe(0);
    expect(at(150)).toBe(1);
  });

  it('gives the bounds as the reason when they have changed', () => {
    const quiet: ScalingSignals = {
      rowsPerSecond: 0,
      shedPerSecond: 0,
      predictedDelayMs: 0,
      queued: 0,
      running: 0,
      capacity: 100,
      ready: 3,
    };
    const decide = (bounds: ScalingLimits) =>
      decideReplicas(startScaling(0), quiet, bounds, 3, 1000);
    expect(decide(limits(4, 8))).toMatchObject({ replicas: 4, cause: 'bounds' });
    expect(decide(limits(1, 2))).toMatchObject({ replicas: 2, cause: 'bounds' });
    expect(decide(limits(3, 3))).toMatchObject({ replicas: 3, cause: 'steady' });
  });

  it('keeps its minimum without requests', () => {
    const steps = simulate({ load: () => 0, seconds: 600, limits: limits(2, 4), capacity: 100 });
    expect(steps.every(({ replicas }) => replicas === 2)).toBe(true);
  });

  it('does not add replicas for deadlines that no replica could meet', () => {
    let memory = startScaling(0);
    for (let t = 1; t <= 60; t++) {
      const signals: ScalingSignals = {
        rowsPerSecond: 5,
        shedPerSecond: 5,
        predictedDelayMs: 0,
        queued: 0,
        running: 0,
        capacity: 100,
        ready: 1,
      };
      const decision = decideReplicas(memory, signals, limits(1, 8), 1, t * 1000);
      memory = decision.memory;
      expect(decision.replicas).toBe(1);
    }
  });

  it('adds one replica at a time under pressure, and waits until it has taken effect', () => {
    let memory = startScaling(0);
    let replicas = 1;
    const history: number[] = [];
    for (let t = 1; t <= 10; t++) {
      const signals: ScalingSignals = {
        rowsPerSecond: 50,
        shedPerSecond: 10,
        predictedDelayMs: 400,
        queued: 20,
        running: 4,
        capacity: 0,
        ready: replicas,
      };
      const decision = decideReplicas(memory, signals, limits(1, 8), replicas, t * 1000);
      memory = stepped(decision.memory, replicas, decision.replicas, t * 1000);
      replicas = decision.replicas;
      history.push(replicas);
    }
    expect(history).toEqual([2, 2, 2, 3, 3, 3, 4, 4, 4, 5]);
  });

  it('stays within the bounds, and gives a reason, for any signals', () => {
    const number = fc.double({ min: 0, max: 1e6, noNaN: true });
    const signal = fc.record({
      rowsPerSecond: number,
      shedPerSecond: number,
      predictedDelayMs: number,
      queued: fc.nat(1000),
      running: fc.nat(1000),
      capacity: fc.oneof(fc.constant(0), fc.double({ min: 0.001, max: 1e6, noNaN: true })),
      ready: fc.nat(10),
    });
    fc.assert(
      fc.property(
        fc.nat(5),
        fc.integer({ min: 1, max: 10 }),
        fc.array(signal, { maxLength: 50 }),
        fc.nat(12),
        (min, more, signals, start) => {
          const bounds = limits(min, min + more);
          let memory = startScaling(0);
          let replicas = start;
          signals.forEach((signal, i) => {
            const now = (i + 1) * 1000;
            const decision = decideReplicas(memory, signal, bounds, replicas, now);
            expect(Number.isInteger(decision.replicas)).toBe(true);
            expect(decision.replicas).toBeGreaterThanOrEqual(bounds.min);
            expect(decision.replicas).toBeLessThanOrEqual(bounds.max);
            expect(decision.reason).not.toMatch(/NaN|undefined|Infinity|^$/);
            memory = stepped(decision.memory, replicas, decision.replicas, now);
            replicas = decision.replicas;
          });
        },
      ),
    );
  });

  it('does not flap on thousands of steady, noisy loads', () => {
    for (let seed = 0; seed < 2000; seed++) {
      const random = randomFrom(seed * 7919 + 1);
      const capacity = 20 + random() * 400;
      const mean = random() * capacity * 6;
      const steps = simulate({
        load: () => poisson(mean, random),
        seconds: 600,
        limits: limits(random() < 0.5 ? 0 : 1, 8),
        capacity,
        startup: 1 + Math.floor(random() * 4),
        start: 1,
      });
      const settled = steps.slice(60);
      expect(turns(settled), `seed ${seed}: ${mean} rows/s on ${capacity}`).toBeLessThanOrEqual(2);
      // The number that it settles on carries the load.
      const last = steps.at(-1)!;
      if (mean < capacity * 8 * 0.8) expect(last.replicas * capacity).toBeGreaterThan(mean);
    }
  });

  it('changes direction less and less often on a load with repeated bursts', () => {
    const steps = simulate({
      load: (t) => (t % 60 < 5 ? 400 : 30),
      seconds: 3600,
      limits: limits(1, 8),
      capacity: 100,
    });
    expect(turns(steps.slice(0, 600))).toBeLessThanOrEqual(12);
    expect(turns(steps.slice(1800))).toBeLessThanOrEqual(4);
  });

  it('stops shedding within ten seconds of any step that the bounds can carry', () => {
    for (let seed = 0; seed < 1000; seed++) {
      const random = randomFrom(seed * 104_729 + 3);
      const capacity = 20 + random() * 400;
      const before = random() * capacity * 0.5;
      const after = capacity * (1 + random() * 5);
      const steps = simulate({
        load: (t) => (t <= 60 ? before : after),
        seconds: 120,
        limits: limits(1, 8),
        capacity,
      });
      const late = steps.slice(72);
      expect(
        late.every(({ shed }) => shed === 0),
        `seed ${seed}`,
      ).toBe(true);
    }
  });
});
