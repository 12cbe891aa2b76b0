/**
 * Reports progress to the store: only the latest value is sent, so frequent progress costs nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isOutage } from '../persist.ts';
import type { Progress } from './guest-lines.ts';

export interface ProgressReporter {
  readonly report: (progress: Progress) => void;
  /** Resolves when the last value was reported. */
  end(): Promise<void>;
}

export interface ProgressReporterOptions {
  /** @returns false when the attempt is stale. */
  readonly write: (progress: Progress) => Promise<boolean>;
  readonly signal: AbortSignal;
  readonly onStale: () => void;
}

const INTERVAL_MS = 200;
const MAX_MESSAGE = 500;

export function createProgressReporter(options: ProgressReporterOptions): ProgressReporter {
  const { write, signal, onStale } = options;
  let latest: Progress | undefined;
  let running: Promise<void> | undefined;
  const hurry = new AbortController();

  async function drain(): Promise<void> {
    while (latest !== undefined && !signal.aborted) {
      const progress = latest;
      latest = undefined;
      try {
        if (!(await write(progress))) return onStale();
      } catch (error) {
        // A later report will follow; fail only for an error that cannot pass.
        if (!isOutage(error)) throw error;
      }
      if (hurry.signal.aborted) continue;
      await sleep(INTERVAL_MS, undefined, { signal: hurry.signal }).catch(() => undefined);
    }
  }

  return {
    report({ fraction, message }) {
      if (!(fraction >= 0)) return;
      latest = { fraction: Math.min(1, fraction), message: message.slice(0, MAX_MESSAGE) };
      running ??= drain().finally(() => {
        running = undefined;
      });
    },
    async end() {
      hurry.abort();
      await running?.catch(() => undefined);
    },
  };
}
