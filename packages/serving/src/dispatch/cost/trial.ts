/**
 * Tests a version before it may run in a thread of the node: it is first loaded and warmed in a
 * child process. If it takes too long there, it is killed; if it takes too much memory, the kernel
 * refuses it; if it crashes, only the child ends. None of this is possible in a thread.
 *
 * The cost is one more start, paid when a version is deployed and not when the node restarts. The
 * process yields the cores to the versions that serve, so the start takes longer on a busy node. The
 * trial does not cover inputs that the warm-up does not send: a model that is not trusted with
 * those must always run in a process.
 */
import { RuntimeFailure } from '@skein/runtime';
import type { ModelSource, Runtime, SessionOptions } from '@skein/runtime';
import { LatencyModel } from './latency-model.ts';
import { warm, type WarmingOptions, type Warmth } from './warming.ts';

export interface TrialOptions {
  readonly runtime: Runtime;
  readonly model: ModelSource;
  readonly session: Omit<SessionOptions, 'isolation' | 'yields'>;
  readonly warming: Omit<WarmingOptions, 'model' | 'seen' | 'known' | 'runsPerSize'>;
}

/**
 * @param signal ends the process at once.
 * @returns which rows may share a run, so that the threads of the version need not find out again.
 * @throws RuntimeFailure `'load'`, `'memory'`, `'unavailable'`, and `'run'` as `warm` does.
 */
export async function tryOut(
  { runtime, model, session: options, warming }: TrialOptions,
  signal: AbortSignal,
): Promise<Warmth> {
  const yielding = { ...options, isolation: 'process', yields: true } as const;
  const session = await runtime.open(model, yielding, signal);
  const stop = (): void => void session.close();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    // Its times differ from a thread's, so one run of each size is enough.
    const nothing = { model: new LatencyModel(), seen: undefined, known: undefined };
    return await warm(session, { ...warming, ...nothing, runsPerSize: 1 });
  } catch (error) {
    if (!(error instanceof RuntimeFailure) || error.kind !== 'lost') throw error;
    throw new RuntimeFailure(
      'load',
      `The model ended its process while it warmed up. ${error.message}`,
      {
        cause: error,
      },
    );
  } finally {
    signal.removeEventListener('abort', stop);
    await session.close();
  }
}
