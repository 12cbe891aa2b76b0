/**
 * Runs a gradient graph stage by stage in a separate thread, so that the calling thread can send
 * the results of the first stages: ONNX Runtime blocks the thread that calls it.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { RuntimeFailure } from '@skein/runtime/contract';
import type { Tensors } from '../../run/backend.ts';
import type { StageReply, StageRun, StageThreadData } from './stage-worker.ts';

export interface StagedGraph {
  /**
   * Runs all stages; one run at a time.
   * @param feeds every input of the graph.
   * @param into every output, in shared memory.
   * @param done called after each stage, with its number.
   * @throws RuntimeFailure `run` when a graph rejects its input.
   */
  run(feeds: Tensors, into: Tensors, done: (stage: number) => void): Promise<void>;
  close(): Promise<void>;
}

const ENTRY = new URL('./stage-worker.ts', import.meta.url);

/**
 * @param stages ONNX files.
 * @param threads that one operator may use.
 * @throws RuntimeFailure `load` when one cannot be loaded.
 */
export async function openStages(
  stages: readonly Uint8Array[],
  threads: number,
): Promise<StagedGraph> {
  const data: StageThreadData = { stages, threads };
  const thread = new Worker(ENTRY, { workerData: data, name: 'gradient' });
  const exited = once(thread, 'exit');
  let waiting: PromiseWithResolvers<void> | undefined = Promise.withResolvers();
  let onStage: (stage: number) => void = () => undefined;
  const settle = (failure?: Error): void => {
    const settled = waiting;
    waiting = undefined;
    if (failure === undefined) settled?.resolve();
    else settled?.reject(failure);
  };
  thread.on('message', (reply: StageReply) => {
    if ('failure' in reply) {
      settle(new RuntimeFailure(reply.failure.kind, reply.failure.message));
    } else {
      if (reply.stage >= 0) onStage(reply.stage);
      if (reply.stage < 0 || reply.stage === stages.length - 1) settle();
    }
  });
  thread.on('error', (error) => settle(error as Error));
  thread.once('exit', () =>
    settle(new RuntimeFailure('lost', 'The thread of the gradient has ended.')),
  );
  await waiting.promise;
  return {
    async run(feeds, into, done) {
      waiting = Promise.withResolvers();
      onStage = done;
      const run: StageRun = { feeds, into };
      thread.postMessage(run, []);
      await waiting.promise;
    },
    async close() {
      thread.postMessage('close', []);
      await exited;
    },
  };
}
