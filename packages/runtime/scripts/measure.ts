/**
 * Measures the cost of a session in a worker over a bare `run()` on the same thread, and of its
 * start.
 *
 * Usage: node packages/runtime/scripts/measure.ts
 */
import { mlp, tensor, writeModel } from '@skein/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { nativeRuntime } from '../src/native/native-runtime.ts';

const RUNS = 4000;
const WARM_UP = 500;
const STARTS = 7;
/** Inputs of the model: 784 floats, 3136 bytes. */
const INPUTS = 784;

const ISOLATIONS = ['thread', 'process'] as const;

function quantile(samples: readonly number[], q: number): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(q * (samples.length - 1))]!;
}

/** Milliseconds of each of `count` calls. */
async function timed(count: number, act: () => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await act();
    samples.push(performance.now() - start);
  }
  return samples;
}

function report(label: string, samples: readonly number[], bare: number): void {
  const [p50, p99] = [quantile(samples, 0.5), quantile(samples, 0.99)];
  const microseconds = (ms: number) => `${(ms * 1000).toFixed(0)} µs`.padStart(9);
  const added = bare === 0 ? '' : `   added at p50: ${microseconds(p50 - bare)}`;
  console.log(`  ${label.padEnd(16)} p50 ${microseconds(p50)}   p99 ${microseconds(p99)}${added}`);
}

for (const sizes of [[INPUTS, 10] as const, [INPUTS, 1024, 1024, 10] as const]) {
  const bytes = writeModel(mlp({ sizes: [...sizes], seed: 1 }));
  console.log(`\nMLP ${sizes.join('-')}, one row, one thread`);

  const bare = await InferenceSession.create(bytes, { intraOpNumThreads: 1 });
  const runBare = () =>
    bare.run({ x: new Tensor('float32', new Float32Array(INPUTS), [1, INPUTS]) });
  await timed(WARM_UP, runBare);
  const alone = await timed(RUNS, runBare);
  report('bare run()', alone, 0);

  for (const isolation of ISOLATIONS) {
    const options = { device: 'cpu', threads: 1, isolation } as const;
    const session = await nativeRuntime.open({ bytes }, options);
    const run = () =>
      session.run(new Map([['x', tensor('float32', [1, INPUTS], new Float32Array(INPUTS))]]));
    await timed(WARM_UP, run);
    report(isolation, await timed(RUNS, run), quantile(alone, 0.5));
    await session.close();
  }

  for (const isolation of ISOLATIONS) {
    const options = { device: 'cpu', threads: 1, isolation } as const;
    const starts = await timed(STARTS, async () => {
      const session = await nativeRuntime.open({ bytes }, options);
      await session.close();
    });
    console.log(`  start in a ${isolation}: p50 ${quantile(starts, 0.5).toFixed(0)} ms`);
  }
}
