import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRecentWindow } from './recent-window.ts';

type Event = { at: number; kind: 'in time' | 'late' | 'shed' | 'rejected'; latencyMs: number };

/** Keeps every event and counts them each time: slow, and exact. */
function truth(events: readonly Event[], now: number, since: number) {
  const second = Math.floor(now / 1000);
  const recent = events.filter(({ at }) => second - Math.floor(at / 1000) < 60);
  const of = (kind: Event['kind']): number => recent.filter((event) => event.kind === kind).length;
  const answers = of('in time') + of('late');
  const span = Math.min(60, Math.max(1, (now - since) / 1000));
  const latencies = recent
    .filter(({ kind }) => kind === 'in time' || kind === 'late')
    .map(({ latencyMs }) => latencyMs)
    .sort((a, b) => a - b);
  const quantile = (share: number): number | null =>
    latencies.length === 0 ? null : latencies[Math.ceil(latencies.length * share) - 1]!;
  return {
    requestsPerSecond: recent.length / span,
    goodputPerSecond: of('in time') / span,
    sloAttainment: answers + of('shed') === 0 ? null : of('in time') / (answers + of('shed')),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    shedPerSecond: of('shed') / span,
  };
}

describe('the last minute', () => {
  it('agrees with counting every event, and its quantiles are exact to 5 %', () => {
    const event = fc.record({
      after: fc.oneof(fc.nat(3000), fc.nat(70_000)),
      kind: fc.constantFrom(
        'in time' as const,
        'late' as const,
        'shed' as const,
        'rejected' as const,
      ),
      latencyMs: fc.double({ min: 0.1, max: 100_000, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 80 }),
        fc.nat(5000),
        fc.nat(70_000),
        (steps, start, rest) => {
          const window = createRecentWindow(start);
          const events: Event[] = [];
          let now = start;
          for (const { after, kind, latencyMs } of steps) {
            now += after;
            events.push({ at: now, kind, latencyMs });
            if (kind === 'in time' || kind === 'late')
              window.answered(latencyMs, kind === 'in time', now);
            else window.refused(kind === 'shed', now);
          }
          now += rest;
          const { p50Ms, p99Ms, ...exact } = truth(events, now, start);
          const found = window.summary(now);
          expect(found).toMatchObject(exact);
          for (const [is, should] of [
            [found.p50Ms, p50Ms],
            [found.p99Ms, p99Ms],
          ] as const) {
            if (should === null) expect(is).toBeNull();
            else {
              expect(is!).toBeGreaterThanOrEqual(should * 0.999_999);
              expect(is!).toBeLessThanOrEqual(should * 1.051);
            }
          }
        },
      ),
    );
  });
});
