/** Jobs that every member is given during a fault, and whether those that were accepted are kept. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN, type Site } from './scene.ts';
import { until } from './settled.ts';

const PACE_MS = 250;
/** Longer than a call waits for the store. */
const LOST_MS = 40_000;
/** One of so many jobs is cancelled as soon as it is accepted. */
const CANCEL_EVERY = 4;
const JOB = { name: 'waits', work: { kind: 'command', argv: ['true'] } };

interface Accepted {
  readonly id: string;
  /** From when its calls were under way, and when the last of them was answered. */
  readonly from: number;
  to: number;
  isCancelled: boolean;
}

export interface Submissions {
  /** Calls by member and outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Accepted jobs so far. */
  count(): number;
  /** Waits for the last calls. */
  stop(): Promise<void>;
  /**
   * Removes what was accepted.
   * @param isExempt whether the store may lose what was accepted between two moments of `performance.now()`.
   * @returns how many accepted jobs, and acknowledged cancellations, the store does not have.
   */
  lost(site: Site, isExempt: (from: number, to: number) => boolean): Promise<number>;
}

export function startSubmissions(sites: readonly Site[]): Submissions {
  const outcomes = new Map<string, number>();
  const accepted: Accepted[] = [];
  let isStopped = false;
  const running = sites.map(async (site) => {
    while (!isStopped) {
      const from = performance.now();
      const { outcome, body } = await call(site, 'POST', '', { jobs: [JOB] });
      count(site, outcome);
      const id = (body as { jobs?: { id: string }[] }).jobs?.[0]?.id;
      if (outcome === 'succeeded' && id !== undefined) {
        const job: Accepted = { id, from, to: performance.now(), isCancelled: false };
        accepted.push(job);
        if (accepted.length % CANCEL_EVERY === 0) {
          const cancelled = await call(site, 'POST', `/${id}/cancel`, {});
          count(site, cancelled.outcome);
          job.isCancelled = cancelled.outcome === 'succeeded';
          job.to = performance.now();
        }
      }
      await sleep(PACE_MS);
    }
  });

  function count({ site }: Site, outcome: string): void {
    const label = `${site} ${outcome}`;
    outcomes.set(label, (outcomes.get(label) ?? 0) + 1);
  }

  return {
    outcomes,
    count: () => accepted.length,
    async stop() {
      isStopped = true;
      await Promise.all(running);
    },
    async lost(site, isExempt) {
      let lost = 0;
      for (const { id, from, to, isCancelled } of accepted) {
        let state = '';
        await until('the store answers for a job', async () => {
          const { outcome, body } = await call(site, 'GET', `/${id}`);
          state = outcome === 'succeeded' ? (body as { state: string }).state : outcome;
          return outcome === 'succeeded' || outcome === 'JOB_UNKNOWN' || outcome;
        });
        const isKept = isCancelled ? state === 'cancelled' : state !== 'JOB_UNKNOWN';
        if (!isKept && !isExempt(from, to)) lost += 1;
        await call(site, 'POST', `/${id}/cancel`, {});
        await call(site, 'DELETE', `/${id}`);
      }
      return lost;
    },
  };
}

/** Never rejects. */
async function call(
  { url }: Site,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly outcome: string; readonly body: unknown }> {
  try {
    const response = await fetch(`${url}/api/v1/jobs${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(LOST_MS),
    });
    const text = await response.text();
    const answer = text === '' ? {} : (JSON.parse(text) as { code?: string });
    return {
      outcome: response.ok ? 'succeeded' : (answer.code ?? `${response.status}`),
      body: answer,
    };
  } catch (error) {
    const { name, cause } = error as Error;
    return {
      outcome: name === 'TimeoutError' ? 'no answer' : `connection lost: ${String(cause)}`,
      body: {},
    };
  }
}
