/** A session of the calling thread: see `InlineSession`. */
import type { TensorMap } from '@skein/onnx';
import type { InlineSession, ModelSource, RunResult, SessionOptions } from '../contract.ts';
import { checkFit } from '../fit.ts';
import { failureOf } from './failure.ts';
import { loadModel, type LoadedModel } from './loaded-model.ts';

/** @throws RuntimeFailure `'load'`, `'memory'`. */
export function openInlineSession(
  model: ModelSource,
  { device, threads, maxOutputBytes }: Omit<SessionOptions, 'isolation'>,
): InlineSession {
  const loaded = attempt('load', () =>
    loadModel({ model, device, threads, maxMemoryBytes: undefined, maxOutputBytes }),
  );
  const names = loaded.signature.outputs.map(({ name }) => name);
  return {
    run: (feeds, outputs) => run(loaded, feeds, outputs ?? names),
    close: () => loaded.release(),
  };
}

function run(loaded: LoadedModel, feeds: TensorMap, names: readonly string[]): RunResult {
  for (const [name, tensor] of feeds) checkFit(name, tensor);
  const { outputs, ...times } = attempt('run', () => loaded.run(feeds, names));
  return { outputs: new Map(names.map((name, i) => [name, outputs[i]!])), ...times };
}

function attempt<Result>(kind: 'load' | 'run', work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw failureOf(kind, error instanceof Error ? error.message : String(error));
  }
}
