/**
 * A composition's context without a node: each deployment is one session of the native runtime in a
 * worker thread, and calls to it run one after another.
 */
import { nativeRuntime, type ModelSource, type Session } from '@skein/runtime';
import type { CompositionContext } from '@skein/serving/composition';
import { CLASSIFIER, DETECTOR, RECOGNISER } from '../models.ts';

export interface LocalContext extends CompositionContext {
  /** Calls so far, by deployment. */
  readonly counts: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/**
 * Opens the three models of the example.
 *
 * @param onRun gets the milliseconds that each deployment has computed, for measurements.
 * @param others models in place of the example's own, by deployment.
 */
export async function localContext(
  onRun?: (deployment: string, computeMs: number) => void,
  others: Readonly<Record<string, ModelSource>> = {},
): Promise<LocalContext> {
  const options = { device: 'cpu', threads: 1, isolation: 'thread' } as const;
  const models: Readonly<Record<string, ModelSource>> = {
    'ocr-detect': { path: DETECTOR },
    'ocr-orient': { path: CLASSIFIER },
    'ocr-recognise': { path: RECOGNISER },
    ...others,
  };
  const sessions = new Map<string, Session>();
  for (const [name, model] of Object.entries(models)) {
    sessions.set(name, await nativeRuntime.open(model, options));
  }
  const counts: Record<string, number> = {};
  const last = new Map<string, Promise<unknown>>();
  return {
    counts,
    signal: new AbortController().signal,
    remainingMs: () => Infinity,
    async call(deployment, inputs, outputs) {
      const session = sessions.get(deployment);
      if (session === undefined) throw new Error(`No deployment is called ${deployment}.`);
      counts[deployment] = (counts[deployment] ?? 0) + 1;
      const run = (last.get(deployment) ?? Promise.resolve()).then(() =>
        session.run(inputs, outputs),
      );
      last.set(
        deployment,
        run.catch(() => undefined),
      );
      const result = await run;
      onRun?.(deployment, result.computeMs);
      return result.outputs;
    },
    async close() {
      await Promise.all([...sessions.values()].map((session) => session.close()));
    },
  };
}
