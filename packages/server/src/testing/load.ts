/** Closed-loop load on a node, for tests: clients that send the next request as soon as they have an answer. */
import { SkeinError } from '@skein/api';

export interface Load {
  /** Requests by outcome: what `ask` resolved with, or the code of the refusal. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Requests that have ended. */
  total(): number;
  of(outcome: string): number;
  /** Waits for the last requests. */
  stop(): Promise<void>;
}

/** @param ask sends one request; resolves with its outcome. */
export function startLoad(clients: number, ask: () => Promise<string>): Load {
  const outcomes = new Map<string, number>();
  let total = 0;
  let stopped = false;
  const client = async (): Promise<void> => {
    while (!stopped) {
      const outcome = await ask().catch((error: unknown) => {
        if (error instanceof SkeinError) return error.code;
        throw error;
      });
      total++;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  const running = Promise.all(Array.from({ length: clients }, client));
  return {
    outcomes,
    total: () => total,
    of: (outcome) => outcomes.get(outcome) ?? 0,
    async stop() {
      stopped = true;
      await running;
    },
  };
}
