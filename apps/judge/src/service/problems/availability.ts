/** Which languages can be judged now, from the reports of the fleet's workers. */
import type { z } from 'zod';
import type { JobStore } from '@skein/jobs';
import { LANGUAGES } from '../../languages/languages.ts';
import type { JudgeView } from '../api/schemas.ts';
import { judgeSubmission } from '../worker/judge-tasks.ts';
import { JUDGE_QUEUE, LANGUAGE_LABEL } from '../worker/judge-worker.ts';

/** `reason`: why nothing is judged. */
export type Availability = Pick<
  z.infer<typeof JudgeView>,
  'workers' | 'parallel' | 'reason' | 'languages'
>;

/** Milliseconds of silence after which a worker counts as lost. */
const SILENT_MS = 60_000;
const KEPT_MS = 1000;

/**
 * @param missing why this process has no worker, when it should have one.
 * @returns a function that queries the store at most once a second.
 */
export function watchAvailability(
  store: Pick<JobStore, 'workers' | 'now'>,
  missing: string | undefined,
): () => Promise<Availability> {
  let kept: { readonly until: number; readonly value: Promise<Availability> } | undefined;
  return () => {
    const now = performance.now();
    if (kept !== undefined && now < kept.until) return kept.value;
    const value = look(store, missing);
    kept = { until: now + KEPT_MS, value };
    value.catch(() => {
      kept = undefined;
    });
    return value;
  };
}

async function look(
  store: Pick<JobStore, 'workers' | 'now'>,
  missing: string | undefined,
): Promise<Availability> {
  const now = await store.now();
  const workers = (await store.workers()).filter(
    (worker) =>
      worker.mode === 'open' &&
      now - worker.seenAt < SILENT_MS &&
      worker.queues.includes(JUDGE_QUEUE) &&
      worker.labels.includes(`task:${judgeSubmission.name}`),
  );
  const labels = new Set(workers.flatMap((worker) => worker.labels));
  const reason =
    workers.length > 0
      ? undefined
      : (missing ??
        'No worker has joined: start one with `skein-judge worker` on a machine with bubblewrap or Docker. What is handed in waits until then.');
  return {
    workers: workers.length,
    parallel: workers.reduce((sum, { total }) => sum + Math.floor(total.cores), 0),
    reason,
    languages: LANGUAGES.map(({ code, name, extensions, toolchain }) => {
      const available = labels.has(LANGUAGE_LABEL + code);
      const lacking = `no worker has its toolchain (Debian package ${toolchain.debianPackage})`;
      return {
        code,
        name,
        extensions: [...extensions],
        available,
        reason: available ? undefined : workers.length === 0 ? 'there is no worker' : lacking,
      };
    }),
  };
}
