/** Counts how requests ended, and computes the report from the counts. */
import { Histogram, type HistogramData } from './histogram.ts';
import type { WireAnswer } from '../target.ts';

/** The counts of one worker; a plain value for `postMessage`. */
export interface TallyData {
  readonly sent: number;
  readonly answered: number;
  readonly answeredInTime: number;
  /** Refused requests, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** All other failures, by reason. */
  readonly failed: Readonly<Record<string, number>>;
  readonly latency: HistogramData;
  readonly refusal: HistogramData;
  readonly sendDelay: HistogramData;
}

export interface Percentiles {
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly p999Ms: number | null;
  readonly maxMs: number | null;
  readonly meanMs: number | null;
}

export class Tally {
  sent = 0;
  answered = 0;
  answeredInTime = 0;
  readonly #refused: Record<string, number> = {};
  readonly #failed: Record<string, number> = {};
  readonly #latency = new Histogram();
  readonly #refusal = new Histogram();
  readonly #sendDelay = new Histogram();
  readonly #objectiveMs: number;

  constructor(objectiveMs: number) {
    this.#objectiveMs = objectiveMs;
  }

  /** @param delayMs from the intended to the actual send. */
  recordSent(delayMs: number): void {
    this.sent += 1;
    this.#sendDelay.record(delayMs);
  }

  /** @param latencyMs from the intended send to the answer. */
  recordAnswer(answer: WireAnswer, latencyMs: number): void {
    if (answer.outcome === 'ok') {
      this.answered += 1;
      if (latencyMs <= this.#objectiveMs) this.answeredInTime += 1;
      this.#latency.record(latencyMs);
      return;
    }
    const counts = answer.outcome === 'refused' ? this.#refused : this.#failed;
    counts[answer.reason] = (counts[answer.reason] ?? 0) + 1;
    if (answer.outcome === 'refused') this.#refusal.record(latencyMs);
  }

  merge(other: TallyData): void {
    this.sent += other.sent;
    this.answered += other.answered;
    this.answeredInTime += other.answeredInTime;
    addCounts(this.#refused, other.refused);
    addCounts(this.#failed, other.failed);
    this.#latency.merge(other.latency);
    this.#refusal.merge(other.refusal);
    this.#sendDelay.merge(other.sendDelay);
  }

  data(): TallyData {
    return {
      sent: this.sent,
      answered: this.answered,
      answeredInTime: this.answeredInTime,
      refused: this.#refused,
      failed: this.#failed,
      latency: this.#latency.data(),
      refusal: this.#refusal.data(),
      sendDelay: this.#sendDelay.data(),
    };
  }

  /** Latencies of answered requests. */
  latency(): Percentiles {
    return percentiles(this.#latency);
  }

  /** Latencies of refusals: how long a client waits for the refusal. */
  refusal(): Percentiles {
    return percentiles(this.#refusal);
  }

  sendDelay(): Percentiles {
    return percentiles(this.#sendDelay);
  }
}

function percentiles(of: Histogram): Percentiles {
  const at = (share: number): number | null => (of.count === 0 ? null : of.percentile(share));
  return {
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: of.count === 0 ? null : of.maxMs,
    meanMs: of.count === 0 ? null : of.meanMs,
  };
}

function addCounts(into: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [reason, count] of Object.entries(from)) into[reason] = (into[reason] ?? 0) + count;
}
