/**
 * The counts and times of a report, with nothing of an input or output. Counts of versions are
 * since the last report that the node has, so that a node which sums them counts each answer once.
 */
import type { DeviceReport } from '@skein/api';
import { BUCKETS, bucketOf, digestOf } from '@skein/api/latency-buckets';
import { safeLine } from '@skein/api/safe-text';

/** Characters of a reason on the way to a node. */
const LONGEST_REASON = 200;
/** Versions with counts in one report: more cannot run between two of them. */
const MOST_VERSIONS = 4;

type Where = NonNullable<DeviceReport['last']>['where'];

interface VersionCount {
  requests: number;
  errors: number;
  late: number;
  readonly histogram: Uint32Array;
}

export type Counted = Pick<DeviceReport, 'answers' | 'energyProxies' | 'last'>;

export interface AnswerCounts {
  /** @param late whether the answer came after its deadline. */
  ran(version: number, tookMs: number, late: boolean): void;
  /** A run ended the process of the model. */
  failed(version: number): void;
  /** @param why of the policy: never a text that an input has caused. */
  decided(where: Where, why: string): void;
  /** Both were asked, and one was cancelled. */
  hedged(): void;
  /** CPU time of runs, in seconds. */
  usedCpu(seconds: number): void;
  moved(direction: 'received' | 'sent', bytes: number): void;
  readonly counted: Counted;
  /** The counts of versions since the call before. */
  take(): DeviceReport['counts'];
}

export function answerCounts(now: () => number = Date.now): AnswerCounts {
  const answers = { local: 0, remote: 0, hedged: 0, refused: 0 };
  const energyProxies = { cpuSeconds: 0, bytesReceived: 0, bytesSent: 0 };
  let last: DeviceReport['last'] = null;
  let versions = new Map<number, VersionCount>();

  function of(version: number): VersionCount {
    const known = versions.get(version);
    if (known !== undefined) return known;
    const made = { requests: 0, errors: 0, late: 0, histogram: new Uint32Array(BUCKETS) };
    versions.set(version, made);
    return made;
  }

  return {
    ran(version, tookMs, late) {
      const count = of(version);
      count.requests += 1;
      if (late) count.late += 1;
      count.histogram[bucketOf(tookMs)]! += 1;
    },
    failed(version) {
      const count = of(version);
      count.requests += 1;
      count.errors += 1;
    },
    decided(where, why) {
      answers[where] += 1;
      last = { where, why: shownReason(why), at: new Date(now()).toISOString() };
    },
    hedged() {
      answers.hedged += 1;
    },
    usedCpu(seconds) {
      energyProxies.cpuSeconds += seconds;
    },
    moved(direction, bytes) {
      energyProxies[direction === 'sent' ? 'bytesSent' : 'bytesReceived'] += bytes;
    },
    get counted() {
      return { answers: { ...answers }, energyProxies: { ...energyProxies }, last };
    },
    take() {
      const taken = [...versions].slice(-MOST_VERSIONS).map(([version, count]) => {
        const { requests, errors, late, histogram } = count;
        return { version, requests, errors, late, latency: [...digestOf(histogram)] };
      });
      versions = new Map();
      return taken;
    },
  };
}

/** A reason as one line that a report may have. */
export function shownReason(text: string): string {
  return safeLine(text).slice(0, LONGEST_REASON);
}
