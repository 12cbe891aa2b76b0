/**
 * The threads that read large requests and write large answers. Sockets, keys and limits stay on
 * the node's thread: a payload comes here by transfer, once all of it has been admitted.
 *
 * A payload goes to the thread with the least work. The first one starts a thread, and the next
 * threads start while all others are busy. Until a thread has started, nothing waits for it if
 * another one runs.
 */
import { SkeinError } from '@skein/api';
import { startThread, type StartedThread } from '@skein/calls';
import type { CodecCalls } from './codec-worker.ts';

const ENTRY = new URL('./codec-worker.ts', import.meta.url);

/** The node's own thread reads every body, which takes it about a third of the time of decoding one. */
const MAX_THREADS = 4;

/** Threads that read requests and write answers on so many cores, the node's own among them. */
export function gatewayThreadsFor(cores: number): number {
  return 1 + Math.max(1, Math.min(MAX_THREADS, cores - 1));
}

interface Thread {
  readonly worker: StartedThread<CodecCalls>;
  isReady: boolean;
  /** The thread's unfinished payloads, in bytes of a request. */
  work: number;
}

export class CodecThreads {
  readonly #max: number;
  readonly #threads = new Set<Thread>();

  constructor(max: number) {
    this.#max = max;
  }

  /** @param work of the payload, in bytes of a request that takes as long. */
  async with<Result>(
    work: number,
    use: (worker: Thread['worker']) => Promise<Result>,
  ): Promise<Result> {
    const thread = this.#leastBusy();
    thread.work += work;
    try {
      return await use(thread.worker);
    } finally {
      thread.work -= work;
    }
  }

  /** Ends the threads; payloads in progress fail. */
  async close(): Promise<void> {
    await Promise.all([...this.#threads].map(({ worker }) => worker.stop()));
  }

  #leastBusy(): Thread {
    let least: Thread | undefined;
    let starting: Thread | undefined;
    for (const thread of this.#threads) {
      if (!thread.isReady) starting = thread;
      else if (least === undefined || thread.work < least.work) least = thread;
    }
    const isBusy = least === undefined || least.work > 0;
    if (isBusy && starting === undefined && this.#threads.size < this.#max)
      starting = this.#start();
    return least ?? starting!;
  }

  /** Which payload exceeds the memory of a thread is not known: all that it has fail. */
  #start(): Thread {
    const worker = startThread<CodecCalls>(ENTRY, { name: 'skein-codec', errors: [SkeinError] });
    const thread: Thread = { worker, isReady: false, work: 0 };
    this.#threads.add(thread);
    worker.call('ready', undefined).then(
      () => (thread.isReady = true),
      () => undefined,
    );
    void worker.ended.then(() => this.#threads.delete(thread));
    return thread;
  }
}
