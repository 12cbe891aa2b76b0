import { expect, it } from 'vitest';
import { meets } from '../harness/report.ts';
import { SERVING_MEASURES } from './measures.ts';
import { overloadOf } from './overload.ts';

const percentiles = (p99Ms: number | null) => ({
  count: p99Ms === null ? 0 : 100,
  minMs: p99Ms,
  meanMs: p99Ms,
  p50Ms: p99Ms,
  p90Ms: p99Ms,
  p95Ms: p99Ms,
  p99Ms,
  p999Ms: p99Ms,
  maxMs: p99Ms,
});
const report = (latencyMs: number | null, refusalMs: number | null) => ({
  goodputPerSecond: 45,
  objectiveMs: 250,
  latency: percentiles(latencyMs),
  refusal: percentiles(refusalMs),
  generator: { sendDelay: percentiles(0), busyShare: 0.1, fellBehind: false },
});
const keeps = (key: string, value: number): boolean =>
  meets(
    SERVING_MEASURES.find((measure) => measure.key === key)!,
    value,
  );

it('is what came back over what could be carried', () => {
  expect(overloadOf(report(200, 10), 50)).toMatchObject({
    goodputFraction: 0.9,
    admittedP99Ratio: 0.8,
    shedP99Ms: 10,
  });
});

it('keeps no promise about refusals or answers that there were none of', () => {
  const silent = overloadOf(report(null, null), 50);
  expect(keeps('overload_shed_p99_ms', silent.shedP99Ms)).toBe(false);
  expect(keeps('overload_admitted_p99_ratio', silent.admittedP99Ratio)).toBe(false);
  expect(keeps('overload_shed_p99_ms', overloadOf(report(200, 25), 50).shedP99Ms)).toBe(true);
});
