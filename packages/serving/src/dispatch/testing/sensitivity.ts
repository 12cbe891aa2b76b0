/**
 * The value of each constant of `tuning.ts`: goodput, p99 and refusals of every trace, with the
 * constant as it is, halved and doubled.
 */
import { tuning, type Tunable } from '../tuning.ts';
import { inTime, simulate } from './simulation.ts';
import { TRACES, type Trace } from './traces.ts';

export interface Result {
  /** Answers in time, as a share of the requests. */
  readonly goodput: number;
  /** Refusals, as a share of the requests. */
  readonly refused: number;
  /** Accepted requests that were late or not answered, as a share of the requests. */
  readonly broken: number;
  /** From arrival to answer, in milliseconds. */
  readonly p99Ms: number;
}

export function resultOf(trace: Trace): Result {
  const { arrivals, options } = trace.make();
  const { outcomes } = simulate(arrivals, options);
  const answered = outcomes.filter(({ state }) => state === 'answered');
  const good = inTime(outcomes).length;
  const refused = outcomes.filter(({ state }) => state === 'refused').length;
  const latencies = answered
    .map(({ arrival, finishedAt }) => finishedAt - arrival.at)
    .sort((a, b) => a - b);
  return {
    goodput: good / outcomes.length,
    refused: refused / outcomes.length,
    broken: (outcomes.length - refused - good) / outcomes.length,
    p99Ms: latencies[Math.floor(0.99 * (latencies.length - 1))] ?? 0,
  };
}

/**
 * A constant halved or doubled: of a share near 1 the part that is missing, of a ratio a little
 * over 1 the excess, and of a count a whole number.
 */
export function scaled(value: number, factor: number): number {
  if (value > 0.7 && value < 1) return 1 - (1 - value) * factor;
  if (value > 1 && value < 2) return 1 + (value - 1) * factor;
  return value >= 2 ? Math.round(value * factor) : value * factor;
}

/** Results by trace with one constant multiplied. */
export function withConstant(name: Tunable, factor: number): Result[] {
  const values: Record<Tunable, number> = tuning;
  const value = values[name];
  values[name] = scaled(value, factor);
  try {
    return TRACES.map(resultOf);
  } finally {
    values[name] = value;
  }
}
