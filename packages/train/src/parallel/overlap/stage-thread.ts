/**
 * Runs a gradient graph stage by stage in a separate thread, so that the calling thread can send
 * the results of the first stages: ONNX Runtime blocks the thread that calls it.
 */
import { startThread, WorkerLost } from '@skein/calls';
import { RuntimeFailure } from '@skein/runtime/contract';
import type { BackendOptions, StagedGraph, Tensors } from '../../run/backend.ts';

const ENTRY = new URL('./stage-worker.ts', import.meta.url);

export type StageCalls = {
  open(given: { readonly stages: readonly Uint8Array[]; readonly threads: number }): Promise<void>;
  /** Yields the number of each stage once it has run. */
  run(given: { readonly feeds: Tensors; readonly into: Tensors }): AsyncGenerator<number, void>;
  close(): Promise<void>;
};

/** `openStages` of the native backend. */
export async function openStages(
  stages: readonly Uint8Array[],
  { threads = 1 }: BackendOptions = {},
): Promise<StagedGraph> {
  const thread = startThread<StageCalls>(ENTRY, {
    name: 'gradient',
    errors: [RuntimeFailure],
    native: true,
  });
  try {
    await thread.call('open', { stages, threads });
  } catch (error) {
    await thread.stop();
    throw failureOf(error);
  }
  return {
    async run(feeds, into, done) {
      try {
        for await (const stage of thread.stream('run', { feeds, into })) done(stage);
      } catch (error) {
        throw failureOf(error);
      }
    },
    async close() {
      await thread.call('close', undefined);
      await thread.stop();
    },
  };
}

function failureOf(error: unknown): RuntimeFailure {
  if (error instanceof RuntimeFailure) return error;
  if (error instanceof WorkerLost) {
    return new RuntimeFailure('lost', 'The thread of the gradient has ended.', { cause: error });
  }
  return new RuntimeFailure('run', error instanceof Error ? error.message : String(error));
}
