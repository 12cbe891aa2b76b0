/**
 * Writes revocations to the state. Memory rejects a revoked key at once; this retries the write
 * until the revocation also survives a restart: with growing waits, and at once when a fleet's store answers again.
 */
import { SkeinError } from '@skein/api/errors';
import type { State } from '@skein/state';

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

export interface Revocations {
  /**
   * Resolves when the revocation survives a restart.
   * @throws SkeinError REVOCATION_NOT_DURABLE, KEY_UNKNOWN; after the first, the write is retried.
   */
  write(id: string, at: string): Promise<void>;
  /** Ids of keys whose revocation a restart would lose. */
  readonly unwritten: ReadonlySet<string>;
  /** Writes what waits at once, before the next retry is due. */
  retry(): void;
  /** Retries a last time. */
  close(): Promise<void>;
}

export function createRevocations(state: Pick<State, 'revokeKey'>): Revocations {
  const waiting = new Map<string, string>();
  const unwritten = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let retryMs = FIRST_RETRY_MS;

  async function write(id: string, at: string): Promise<void> {
    waiting.set(id, at);
    unwritten.add(id);
    const known = await state.revokeKey(id, at);
    waiting.delete(id);
    unwritten.delete(id);
    if (!known) throw new SkeinError('KEY_UNKNOWN', `There is no API key "${id}".`);
  }

  async function writeAll(): Promise<void> {
    const left = [...waiting];
    const settled = await Promise.allSettled(left.map(([id, at]) => write(id, at)));
    if (settled.every(({ status }) => status === 'fulfilled')) retryMs = FIRST_RETRY_MS;
  }

  function schedule(): void {
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      void writeAll().finally(() => {
        timer = undefined;
        if (waiting.size > 0) schedule();
      });
    }, retryMs);
    timer.unref();
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
  }

  return {
    unwritten,
    async write(id, at) {
      try {
        await write(id, at);
      } catch (error) {
        if (error instanceof SkeinError && error.code === 'KEY_UNKNOWN') throw error;
        schedule();
        const why = error instanceof SkeinError ? error.message : 'The store failed.';
        throw new SkeinError(
          'REVOCATION_NOT_DURABLE',
          `The API key ${id} is refused from now on, but a restart would make it valid again. ${why}`,
          { cause: error },
        );
      }
    },
    retry: () => void writeAll(),
    async close() {
      clearTimeout(timer);
      await writeAll();
    },
  };
}
