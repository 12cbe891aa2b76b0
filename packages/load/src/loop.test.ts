import { describe, expect, it } from 'vitest';
import { createArrivals } from './arrivals.ts';
import { runClosedLoop, runOpenLoop, type LoadClock } from './loop.ts';
import { Tally } from './measuring/tally.ts';
import { ANSWERED, type Sender, type WireAnswer } from './target.ts';

/** A clock that only the simulation moves. */
class SimulatedClock implements LoadClock {
  #now = 0;
  readonly #events: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  now(): number {
    return this.#now;
  }

  after(ms: number, wake: () => void): void {
    this.#events.push({ at: this.#now + ms, order: this.#order++, run: wake });
  }

  /** Runs event after event; a time that has passed already, as after a stall, stays passed. */
  async runUntilIdle(): Promise<void> {
    for (;;) {
      this.#events.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#events.shift();
      if (next === undefined) return;
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await Promise.resolve();
    }
  }

  /** The whole process stops, as in a long garbage collection. */
  stall(ms: number): void {
    this.#now += ms;
  }
}

/** A server with one worker and a queue, whose run times are chosen by the time a run starts. */
class SimulatedServer implements Sender {
  #freeAt = 0;
  sent = 0;
  readonly #clock: SimulatedClock;
  readonly #runMs: (startsAt: number) => number;
  readonly #answer: () => WireAnswer;

  constructor(
    clock: SimulatedClock,
    runMs: (startsAt: number) => number,
    answer: () => WireAnswer = () => ANSWERED,
  ) {
    this.#clock = clock;
    this.#runMs = runMs;
    this.#answer = answer;
  }

  send(done: (answer: WireAnswer) => void): void {
    this.sent += 1;
    const now = this.#clock.now();
    const startsAt = Math.max(now, this.#freeAt);
    this.#freeAt = startsAt + this.#runMs(startsAt);
    this.#clock.after(this.#freeAt - now, () => done(this.#answer()));
  }

  warm(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

const constant = (rate: number) => createArrivals({ kind: 'constant', rate, seed: 1 });

/** The differences between simulations. */
interface Simulated {
  readonly durationMs: number;
  readonly warmupMs?: number;
  /** How long the server needs for a request that it begins at this time. */
  readonly runMs: (at: number) => number;
  readonly answer?: () => WireAnswer;
  /** The generator stops for half a second at this time. */
  readonly stallAt?: number;
}

/** Runs a loop against a server of one worker to its end, in simulated time. */
async function simulate(
  loop: (...rest: Rest) => Promise<unknown>,
  objectiveMs: number,
  { durationMs, warmupMs = 0, runMs, answer, stallAt }: Simulated,
) {
  const clock = new SimulatedClock();
  const server = new SimulatedServer(clock, runMs, answer);
  const tally = new Tally(objectiveMs);
  if (stallAt !== undefined) clock.after(stallAt, () => clock.stall(500));
  const ended = loop(server, tally, { warmupMs, durationMs, timeoutMs: 60_000 }, clock);
  await clock.runUntilIdle();
  await ended;
  return { server, tally };
}

type Rest = Parameters<typeof runOpenLoop> extends [unknown, ...infer Others] ? Others : never;
const openLoop = (rate: number, simulated: Simulated) =>
  simulate((...rest) => runOpenLoop(constant(rate), ...rest), 100, simulated);
const closedLoop = (clients: number, simulated: Simulated) =>
  simulate((...rest) => runClosedLoop(clients, ...rest), 1000, simulated);

describe('open loop', () => {
  it('counts a stall of the server for every request that should have been sent meanwhile', async () => {
    // Each run takes 1 ms, except that the server stops from 1 s to 2 s.
    const runMs = (at: number): number => (at >= 1000 && at < 2000 ? 2001 - at : 1);
    const { tally } = await openLoop(100, { durationMs: 4000, runMs });

    // The oracle: a queue of 400 requests, 10 ms apart, each from its intended time.
    const expected: number[] = [];
    let freeAt = 0;
    for (let at = 0; at < 4000; at += 10) {
      const start = Math.max(at, freeAt);
      freeAt = start >= 1000 && start < 2000 ? 2001 : start + 1;
      expected.push(freeAt - at);
    }
    const late = expected.filter((ms) => ms > 100).length;
    expect(late).toBeGreaterThan(85);
    expect(tally.sent).toBe(400);
    expect(tally.answered).toBe(400);
    expect(tally.answeredInTime).toBe(400 - late);
    expect(tally.latency().maxMs).toBe(Math.max(...expected));
    const mean = expected.reduce((sum, ms) => sum + ms, 0) / expected.length;
    expect(tally.latency().meanMs).toBeCloseTo(mean, 6);
  });

  it('counts a stall of the generator itself, and reports that its sends were late', async () => {
    const { tally } = await openLoop(100, { durationMs: 2000, runMs: () => 0, stallAt: 1000 });

    expect(tally.sent).toBe(200);
    expect(tally.sendDelay().maxMs).toBeGreaterThanOrEqual(480);
    expect(tally.latency().maxMs).toBeGreaterThanOrEqual(480);
    // Fifty sends fell into the stall, and forty of them are more than 100 ms late.
    expect(200 - tally.answeredInTime).toBeGreaterThanOrEqual(39);
    expect(200 - tally.answeredInTime).toBeLessThanOrEqual(41);
  });

  it('continues to send when no answer arrives, and waits for the last one', async () => {
    const { server, tally } = await openLoop(50, { durationMs: 1000, runMs: () => 1000 });
    expect(server.sent).toBe(50);
    expect(tally.answered).toBe(50);
    // The last was sent at 980 ms and waited for 49 others.
    expect(tally.latency().maxMs).toBe(50_000 - 980);
  });

  it('sends during the warm-up without counting', async () => {
    const simulated = { warmupMs: 500, durationMs: 1000, runMs: () => 1 };
    const { server, tally } = await openLoop(100, simulated);
    expect(server.sent).toBe(150);
    expect(tally.sent).toBe(100);
    expect(tally.answered).toBe(100);
  });

  it('distinguishes refusals and failures from answers', async () => {
    let count = 0;
    const answers: WireAnswer[] = [
      ANSWERED,
      { outcome: 'refused', reason: 'QUEUE_FULL' },
      { outcome: 'failed', reason: 'timeout' },
    ];
    const answer = () => answers[count++ % 3] ?? ANSWERED;
    const { tally } = await openLoop(100, { durationMs: 300, runMs: () => 2, answer });
    const { refused, failed } = tally.data();
    expect([tally.sent, tally.answered]).toEqual([30, 10]);
    expect(refused).toEqual({ QUEUE_FULL: 10 });
    expect(failed).toEqual({ timeout: 10 });
    expect(tally.refusal().p99Ms).toBeCloseTo(2, 1);
  });
});

describe('closed loop', () => {
  it('keeps as many requests in flight as there are clients', async () => {
    const { tally } = await closedLoop(4, { durationMs: 1000, runMs: () => 10 });
    // One worker, 10 ms each: one answer every 10 ms, each after four runs.
    expect(tally.answered).toBe(99);
    expect(tally.latency().p99Ms).toBeCloseTo(40, 0);
  });

  it('does not become a busy loop when every request is refused at once', async () => {
    const answer = (): WireAnswer => ({ outcome: 'refused', reason: 'x' });
    const { server } = await closedLoop(2, { durationMs: 100, runMs: () => 0, answer });
    expect(server.sent).toBeLessThanOrEqual(202);
  });
});
