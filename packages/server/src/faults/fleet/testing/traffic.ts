/** Callers of every member, and what became of their requests. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Site } from './scene.ts';

/** The input of every request, for which a planted regression answers NaN. */
const X = -4;
const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [X] }],
});
/** Longer than any objective: a request that has not ended by then is lost. */
const LOST_MS = 40_000;
/** Between two requests of a caller. */
const PACE_MS = 40;

export interface Answer {
  /** `answered`, a code, or what is neither. */
  readonly outcome: string;
  readonly version?: string | undefined;
}

/** Sends one request. Never rejects. */
export async function ask({ url }: Site, model: string, key: string): Promise<Answer> {
  try {
    const response = await fetch(`${url}/v2/models/${model}/infer`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: BODY,
      signal: AbortSignal.timeout(LOST_MS),
    });
    const text = await response.text();
    const answer = JSON.parse(text) as {
      code?: string;
      model_version?: string;
      outputs?: { data: unknown[] }[];
    };
    if (answer.code !== undefined) return { outcome: answer.code };
    const [y] = answer.outputs?.[0]?.data ?? [];
    if (model === 'steady' && y !== X) return { outcome: `wrong answer: ${text}` };
    return {
      outcome: response.ok ? 'answered' : `HTTP ${response.status}`,
      version: answer.model_version,
    };
  } catch (error) {
    const { name, cause } = error as Error;
    return { outcome: name === 'TimeoutError' ? 'no answer' : `connection lost: ${String(cause)}` };
  }
}

export interface Traffic {
  /** Requests by member, model and outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
  of(site: number, model: string, outcome: string): number;
  /** Waits for the last requests. */
  stop(): Promise<void>;
}

export function startTraffic(
  callers: readonly {
    readonly site: Site;
    readonly model: string;
    readonly name: string;
    readonly key: string;
  }[],
): Traffic {
  const outcomes = new Map<string, number>();
  let isStopped = false;
  const running = callers.map(async ({ site, model, name, key }) => {
    while (!isStopped) {
      const { outcome } = await ask(site, model, key);
      const label = `${site.site} ${name} ${outcome}`;
      outcomes.set(label, (outcomes.get(label) ?? 0) + 1);
      await sleep(PACE_MS);
    }
  });
  return {
    outcomes,
    of: (site, name, outcome) => outcomes.get(`${site} ${name} ${outcome}`) ?? 0,
    async stop() {
      isStopped = true;
      await Promise.all(running);
    },
  };
}
