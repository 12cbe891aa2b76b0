/**
 * Predicts when a composition would finish one more request.
 *
 * What a composition waits for is mostly other deployments, which it shares with the requests beside
 * it. So a run is measured as the time that it took for each request that was in the system with
 * it: where requests slow each other down that number stays the same however many there are, and
 * times the number now it gives the finish.
 *
 * Samples expire, and an idle composition always tries: a bad minute is not held against it for ever.
 */
import type { Instant } from '../contract.ts';

const REMEMBERED = 64;
const EXPIRES_MS = 15_000;

export interface RunWindow {
  /** @param together requests in the system when it came, itself included. */
  add(latencyMs: number, together: number, now: Instant): void;
  /** Milliseconds until one more request would be answered; 0 while nothing is known. */
  predictMs(inSystem: number, now: Instant): number;
  /** 0 while nothing is known. */
  quantile(share: number, now: Instant): number;
}

export function createRunWindow(): RunWindow {
  const samples: {
    readonly at: Instant;
    readonly latencyMs: number;
    readonly perRequest: number;
  }[] = [];

  const sorted = (of: (sample: (typeof samples)[number]) => number, now: Instant): number[] => {
    while (samples.length > 0 && now - samples[0]!.at > EXPIRES_MS) samples.shift();
    return samples.map(of).sort((a, b) => a - b);
  };

  return {
    add(latencyMs, together, now) {
      samples.push({ at: now, latencyMs, perRequest: latencyMs / together });
      if (samples.length > REMEMBERED) samples.shift();
    },
    predictMs(inSystem, now) {
      if (inSystem === 0) return 0;
      const perRequest = at(
        sorted((sample) => sample.perRequest, now),
        0.5,
      );
      const alone = at(
        sorted((sample) => sample.latencyMs, now),
        0.1,
      );
      return Math.max(alone, perRequest * (inSystem + 1));
    },
    quantile: (share, now) =>
      at(
        sorted((sample) => sample.latencyMs, now),
        share,
      ),
  };
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
