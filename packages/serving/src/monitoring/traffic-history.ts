/**
 * The traffic of a deployment over the last day, in constant memory: one point for every minute, about
 * 35 KB. It is kept by the node, not stored: it begins again with it.
 *
 * A minute is completed by the first request or reading after it, so that an idle deployment needs no
 * timer.
 */
import type { DeploymentTraffic, TrafficRange } from '@skein/api';
import type { Instant } from '../contract.ts';
import { BUCKETS, bucketOf, quantile } from '@skein/api/latency-buckets';

const MINUTE_MS = 60_000;
const MINUTES = 24 * 60;

/** Minutes of one point, and points. */
const RANGES: Readonly<Record<TrafficRange, { minutes: number; points: number }>> = {
  hour: { minutes: 1, points: 60 },
  day: { minutes: 10, points: 144 },
};

type Point = DeploymentTraffic['points'][number];

export class TrafficHistory {
  /** First minute that was observed, since the clock's zero. */
  readonly #since: number;
  /** The minute of each place of the ring; -1: none yet. */
  readonly #minutes = new Int32Array(MINUTES).fill(-1);
  readonly #answered = new Uint32Array(MINUTES);
  readonly #inTime = new Uint32Array(MINUTES);
  readonly #shed = new Uint32Array(MINUTES);
  readonly #rejected = new Uint32Array(MINUTES);
  readonly #p50Ms = new Float32Array(MINUTES);
  readonly #p99Ms = new Float32Array(MINUTES);
  /** Latencies of the current minute. */
  readonly #latencies = new Uint32Array(BUCKETS);
  #current: number;

  constructor(now: Instant) {
    this.#since = this.#current = minuteOf(now);
    this.#clear(this.#current % MINUTES, this.#current);
  }

  answered(latencyMs: number, inTime: boolean, now: Instant): void {
    const place = this.#placeAt(now);
    this.#answered[place]! += 1;
    if (inTime) this.#inTime[place]! += 1;
    this.#latencies[bucketOf(latencyMs)]! += 1;
  }

  /** @param shed as for the recent window. */
  refused(shed: boolean, now: Instant): void {
    const place = this.#placeAt(now);
    if (shed) this.#shed[place]! += 1;
    else this.#rejected[place]! += 1;
  }

  /**
   * The complete minutes of the range, oldest first. Points before the deployment existed are left out.
   * @param wallMs the time of `now`, in milliseconds since 1970.
   */
  points(range: TrafficRange, now: Instant, wallMs: number): Point[] {
    this.#placeAt(now);
    const { minutes, points } = RANGES[range];
    const end = Math.floor(this.#current / minutes) * minutes;
    const found: Point[] = [];
    for (let from = end - points * minutes; from < end; from += minutes) {
      if (from + minutes <= this.#since) continue;
      const startMs = wallMs - (now - from * MINUTE_MS);
      found.push(this.#point(from, minutes, new Date(startMs).toISOString()));
    }
    return found;
  }

  #point(from: number, minutes: number, at: string): Point {
    let [answered, inTime, shed, rejected, slowest] = [0, 0, 0, 0, 0];
    let medianSum = 0;
    for (let minute = from; minute < from + minutes; minute += 1) {
      const place = minute % MINUTES;
      if (this.#minutes[place] !== minute) continue;
      answered += this.#answered[place]!;
      inTime += this.#inTime[place]!;
      shed += this.#shed[place]!;
      rejected += this.#rejected[place]!;
      medianSum += this.#p50Ms[place]! * this.#answered[place]!;
      slowest = Math.max(slowest, this.#p99Ms[place]!);
    }
    const seconds = (minutes * MINUTE_MS) / 1000;
    return {
      at,
      requestsPerSecond: (answered + shed + rejected) / seconds,
      goodputPerSecond: inTime / seconds,
      shedPerSecond: shed / seconds,
      sloAttainment: answered + shed === 0 ? null : inTime / (answered + shed),
      p50Ms: answered === 0 ? null : medianSum / answered,
      p99Ms: answered === 0 ? null : slowest,
    };
  }

  /** The place of the current minute; completes the one before. */
  #placeAt(now: Instant): number {
    const minute = minuteOf(now);
    // A request may be reported a little late.
    if (minute <= this.#current) return this.#current % MINUTES;
    const before = this.#current % MINUTES;
    const answers = this.#answered[before]!;
    this.#p50Ms[before] = quantile(this.#latencies, answers, 0.5) ?? 0;
    this.#p99Ms[before] = quantile(this.#latencies, answers, 0.99) ?? 0;
    this.#latencies.fill(0);
    this.#current = minute;
    this.#clear(minute % MINUTES, minute);
    return minute % MINUTES;
  }

  #clear(place: number, minute: number): void {
    this.#minutes[place] = minute;
    this.#answered[place] = this.#inTime[place] = this.#shed[place] = this.#rejected[place] = 0;
  }
}

function minuteOf(now: Instant): number {
  return Math.floor(now / MINUTE_MS);
}
