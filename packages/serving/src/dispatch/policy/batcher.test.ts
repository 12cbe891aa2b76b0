import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideBatch, type BatchDecision, type BatchView } from './batcher.ts';
import type { LatencyCurve } from '../cost/latency-curve.ts';
import { LatencyModel } from '../cost/latency-model.ts';

function curveOf(cost: (rows: number) => number): LatencyCurve {
  const curve = new LatencyModel().curve([1]);
  // Enough runs for the tail of a steady machine.
  for (let i = 0; i < 20; i++) {
    for (let rows = 1; rows <= 64; rows *= 2) curve.record(rows, cost(rows), 0);
  }
  return curve;
}

const AFFINE = curveOf((rows) => 10 + rows);

function decide(view: Partial<BatchView>): BatchDecision {
  const decision: BatchDecision = { rows: 0, waitUntil: 0 };
  const whole: BatchView = {
    now: 0,
    curve: AFFINE,
    maxRows: 64,
    goodRows: 32,
    worthRows: 32,
    waitingRows: 1,
    firstRows: 1,
    firstDeadline: 10_000,
    firstStartBy: 9_000,
    firstEnqueuedAt: 0,
    idle: 1,
    idleSince: 0,
    othersWait: false,
    arrivalsPerMs: 0,
    mayIdleUntil: Infinity,
    ...view,
  };
  decideBatch(whole, decision);
  return decision;
}

describe('batch size', () => {
  test('is the number of queued rows, up to the good size, shared between idle replicas', () => {
    expect(decide({ waitingRows: 5 }).rows).toBe(5);
    expect(decide({ waitingRows: 500 }).rows).toBe(32);
    expect(decide({ waitingRows: 9, idle: 2 }).rows).toBe(5);
    expect(decide({ waitingRows: 500, goodRows: 64, maxRows: 8 }).rows).toBe(8);
  });

  test('is the largest that the first deadline allows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 12, max: 60 }), (left) => {
        const { rows } = decide({ waitingRows: 32, firstDeadline: left, firstStartBy: 1 });
        expect(rows).toBe(Math.max(1, Math.min(32, left - 10)));
      }),
    );
  });

  test('a request of many rows runs whole', () => {
    expect(decide({ waitingRows: 100, firstRows: 100, maxRows: 8, goodRows: 8 }).rows).toBe(100);
  });
});

describe('waiting', () => {
  test('never, as long as single runs carry the load', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1 / 11, noNaN: true }), (arrivalsPerMs) => {
        expect(decide({ arrivalsPerMs }).rows).toBe(1);
      }),
    );
  });

  test('while fewer rows are queued than arrive within the fixed cost, and no longer than that cost', () => {
    const busy = { arrivalsPerMs: 0.5, now: 3, firstEnqueuedAt: 1, idleSince: 2 };
    for (let waitingRows = 1; waitingRows < 5; waitingRows++) {
      const { rows, waitUntil } = decide({ ...busy, waitingRows });
      expect(rows).toBe(0);
      expect(waitUntil).toBeCloseTo(12, 6);
    }
    for (const waitingRows of [5, 6, 20]) {
      expect(decide({ ...busy, waitingRows }).rows).toBe(waitingRows);
    }
    expect(decide({ ...busy, now: 13 }).rows).toBe(1);
  });

  test('only while it is safe', () => {
    const busy = { arrivalsPerMs: 0.5, waitingRows: 2 };
    expect(decide({ ...busy, mayIdleUntil: 4 }).waitUntil).toBe(4);
    expect(decide({ ...busy, mayIdleUntil: 0 }).rows).toBe(2);
    expect(decide({ ...busy, firstDeadline: 20 }).waitUntil).toBeCloseTo(7, 6);
    expect(decide({ ...busy, firstDeadline: 13 }).rows).toBe(2);
  });

  test('not while other requests wait, or another idle replica takes the next row', () => {
    const busy = { arrivalsPerMs: 0.5, waitingRows: 2 };
    expect(decide({ ...busy, othersWait: true }).rows).toBe(2);
    expect(decide({ ...busy, idle: 2 }).rows).toBe(1);
  });
});
