/**
 * DuckDB in processes of their own: a native fault cannot bring a worker down, no native work
 * outlives its caller, and the peak of memory is measured. A process stays warm for the next
 * statement of the same tenant, which then does not wait for its start (0.3 s).
 */
import { mkdir, rm } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import { startProcess, workerEnvironment, WorkerLost, type CallWorker } from '@skein/calls';
import type { EngineCalls } from './engine-process.ts';
import type { Fetch, Statement } from './queries.ts';

const ENTRY = new URL('./engine-process.ts', import.meta.url);

/**
 * glibc keeps freed memory in an arena of the thread that freed it, where other threads cannot use
 * it. Large blocks that are mapped and unmapped go back to the system.
 */
const ALLOCATOR = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/** Texts that functions have read are collected soon: 35 MiB less memory for a million of them, in no more time. */
const HEAP = { NODE_OPTIONS: '--max-semi-space-size=1' };

const IDLE_MS = 60_000;
/** Warm processes that wait; one takes about 100 MiB. */
const MOST_IDLE = 2;

export interface AskOptions {
  /** Ends the process with the work. */
  readonly signal?: AbortSignal | undefined;
  /** @param fraction of the input that is read, from 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /** Brings parts of partial files here. */
  readonly fetch?: Fetch | undefined;
}

/** @throws SkeinError SQL_INVALID with DuckDB's message, MEMORY_SHORT; WorkerLost. */
export type Ask = <Name extends keyof EngineCalls>(
  name: Name,
  given: Parameters<EngineCalls[Name]>[0],
  options?: AskOptions,
) => Promise<Awaited<ReturnType<EngineCalls[Name]>>>;

export interface Engines extends AsyncDisposable {
  /** @param owner whose statements may use the same process one after the other: a tenant. */
  readonly of: (owner: string) => Ask;
}

interface Engine {
  readonly owner: string;
  readonly worker: CallWorker<EngineCalls>;
  onProgress: AskOptions['onProgress'];
  fetch: AskOptions['fetch'];
  idle: NodeJS.Timeout | undefined;
}

export function openEngines(): Engines {
  /** The one that has waited longest is the first. */
  const waiting: Engine[] = [];
  const all = new Set<Engine>();

  function start(owner: string): Engine {
    const engine: Engine = {
      owner,
      worker: startProcess<EngineCalls>(ENTRY, {
        name: 'skein-duckdb',
        errors: [SkeinError],
        env: { ...workerEnvironment(), ...ALLOCATOR, ...HEAP },
        serves: {
          progress: (fraction: number) => engine.onProgress?.(fraction),
          fetch: (ranges: Parameters<Fetch>[0]) => engine.fetch?.(ranges),
        },
      }),
      onProgress: undefined,
      fetch: undefined,
      idle: undefined,
    };
    all.add(engine);
    void engine.worker.ended.then(() => {
      all.delete(engine);
      remove(engine);
    });
    return engine;
  }

  function remove(engine: Engine): void {
    clearTimeout(engine.idle);
    const at = waiting.indexOf(engine);
    if (at >= 0) waiting.splice(at, 1);
  }

  async function end(engine: Engine): Promise<void> {
    remove(engine);
    await engine.worker.stop();
  }

  function take(owner: string): Engine {
    const found = waiting.findLast((engine) => engine.owner === owner) ?? start(owner);
    remove(found);
    return found;
  }

  function keep(engine: Engine): void {
    if (!all.has(engine)) return;
    engine.onProgress = undefined;
    engine.fetch = undefined;
    engine.idle = setTimeout(() => void end(engine), IDLE_MS).unref();
    waiting.push(engine);
    if (waiting.length > MOST_IDLE) void end(waiting[0]!);
  }

  async function asked(
    owner: string,
    name: keyof EngineCalls,
    given: never,
    { signal, onProgress, fetch }: AskOptions = {},
  ): Promise<object> {
    signal?.throwIfAborted();
    const engine = take(owner);
    engine.onProgress = onProgress;
    engine.fetch = fetch;
    const stop = (): void => void end(engine);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const answer = (await engine.worker.call(name, given)) as object;
      keep(engine);
      return answer;
    } catch (error) {
      // A statement that failed may have left anything in memory.
      if (error instanceof SkeinError && error.code === 'SQL_INVALID') keep(engine);
      else await end(engine);
      if (error instanceof WorkerLost) signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  return {
    // Each name has its own argument and answer; one function for all names has no type for that.
    of: (owner) =>
      ((name, given, options) =>
        withFewThreads(given as Partial<Statement>, (own) =>
          asked(owner, name, own as never, options),
        )) as Ask,
    async [Symbol.asyncDispose]() {
      await Promise.all([...all].map(end));
    },
  };
}

/**
 * Asks once more with one thread where the rows did not fit: each thread holds rows of its own, which a
 * sort of wide rows cannot spill.
 */
async function withFewThreads<T>(
  given: Partial<Statement>,
  ask: (given: Partial<Statement>) => Promise<T>,
): Promise<T> {
  try {
    return await ask(given);
  } catch (error) {
    const { bounds, folder } = given;
    const isShort = error instanceof SkeinError && error.code === 'MEMORY_SHORT';
    if (!isShort || bounds === undefined || bounds.threads === 1) throw error;
    if (folder !== undefined) {
      await rm(folder, { recursive: true });
      await mkdir(folder);
    }
    return { ...(await ask({ ...given, bounds: { ...bounds, threads: 1 } })), isByOne: true };
  }
}
