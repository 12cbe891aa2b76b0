/** The rows of the comparison, with what the project promises; the README shows the same. */
import type { Measure } from '../harness/report.ts';

const atLeast = (key: string, what: string, bound: number, unit = '×'): Measure => ({
  key,
  what,
  unit,
  target: { atLeast: bound },
});
const atMost = (key: string, what: string, bound: number, unit: string): Measure => ({
  key,
  what,
  unit,
  target: { atMost: bound },
});

export const SERVING_MEASURES: readonly Measure[] = [
  atLeast('http_json_vs_fastapi', 'requests/s, MLP, 16 connections: JSON over FastAPI’s JSON', 4.5),
  atLeast('http_binary_vs_fastapi', '… binary over FastAPI’s JSON', 7),
  atLeast('grpc_vs_fastapi', '… gRPC over FastAPI’s JSON', 2.8),
  atLeast('json_vs_bare', '… JSON over a bare Node server', 0.75),
  atLeast('binary_vs_bare', '… binary over a bare Node server', 0.85),
  atMost('added_p50_ms', 'p50 added over a bare session.run, one connection, binary', 0.3, ' ms'),
  atLeast(
    'ceiling_fraction',
    'OCR recogniser: throughput over bare batched run on the same thread',
    0.9,
    '',
  ),
  atLeast(
    'overload_goodput_fraction',
    'at 3× capacity, objective 250 ms: goodput over capacity',
    0.9,
    '',
  ),
  atMost('overload_admitted_p99_ratio', '… p99 of admitted over the objective', 1, ''),
  atMost('overload_shed_p99_ms', '… p99 of a refusal', 25, ' ms'),
  {
    key: 'fastapi_overload_goodput_fraction',
    what: '… FastAPI’s goodput over its capacity (full run only)',
    unit: '',
    target: null,
  },
  atLeast(
    'ocr_overload_goodput_fraction',
    'the OCR example, whole invoices at 3× capacity: goodput over capacity',
    0.9,
    '',
  ),
  atMost('ocr_overload_admitted_p99_ratio', '… p99 of admitted over its objective', 1, ''),
  atMost('rollout_p99_ratio', 'p99 while a version is swapped over steady p99', 1.5, '×'),
  atMost('cold_start_ms', 'process start to ready with one model', 1500, ' ms'),
  atLeast(
    'gateway_threads_speedup',
    'requests/s of images in JSON: a gateway thread per core, at most four, over one',
    1,
  ),
  atMost('idle_model_mib', 'memory of a small deployed model beyond its weights', 12, ' MiB'),
];
