/**
 * Training steps against PyTorch and TensorFlow.js: one thread each, the same networks and batches,
 * short rounds that alternate so that both run in the same conditions, medians over all rounds.
 */
import { debianVersion } from '../harness/machine.ts';
import type { BenchReport, Measure } from '../harness/report.ts';
import { median } from '../harness/statistics.ts';
import { DATA_PARALLEL, measureDataParallel } from './data-parallel.ts';
import { FASHION, measureFashion } from './fashion.ts';
import { openModel, type ModelName, type OpenModel } from './models.ts';
import { measureOracle, ORACLE } from './oracle.ts';
import { startPyTorch } from './pytorch.ts';
import { measureOverlap, OVERLAP } from './overlap.ts';
import { openTfjsMlp } from './tfjs.ts';

interface Comparison {
  readonly key: string;
  readonly what: string;
  readonly model: ModelName;
  readonly batch: number;
  readonly bound: number;
}

const COMPARISONS: readonly Comparison[] = [
  {
    key: 'mlp10_vs_torch',
    what: 'MLP 784-200-200-10, batch 10',
    model: 'mlp',
    batch: 10,
    bound: 1.7,
  },
  { key: 'mlp100_vs_torch', what: '… batch 100', model: 'mlp', batch: 100, bound: 1.2 },
  { key: 'cnn10_vs_torch', what: 'McMahan’s CNN, batch 10', model: 'cnn', batch: 10, bound: 0.9 },
  { key: 'cnn50_vs_torch', what: '… batch 50', model: 'cnn', batch: 50, bound: 0.85 },
  {
    key: 'transformer_vs_torch',
    what: 'transformer block, d = 128, 4 heads, length 64, batch 16',
    model: 'transformer',
    batch: 16,
    bound: 1,
  },
];

const MEASURES: readonly Measure[] = [
  ...COMPARISONS.map(({ key, what, bound }): Measure => ({
    key,
    what: `${what}: PyTorch’s time over ours`,
    unit: '×',
    target: { atLeast: bound },
  })),
  {
    key: 'mlp100_vs_tfjs',
    what: 'MLP, batch 100: TensorFlow.js wasm’s time over ours',
    unit: '×',
    target: { atLeast: 15 },
  },
  DATA_PARALLEL,
  OVERLAP,
  ORACLE,
  FASHION,
];

interface Options {
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

export async function benchTraining({ quick, progress }: Options): Promise<BenchReport> {
  const torch = await startPyTorch();
  const results: Record<string, number> = {};
  const details: Record<string, unknown> = {};
  try {
    for (const { key, what, model, batch } of COMPARISONS) {
      progress(what);
      const times = await alternate(
        { model, batch, rounds: quick ? 5 : 15, roundMs: quick ? 250 : 700 },
        (steps) => torch.steps(model, batch, steps),
      );
      results[key] = times.peerMs / times.oursMs;
      details[key] = times;
    }
    progress('MLP against TensorFlow.js');
    const tfjs = await openTfjsMlp(100);
    const times = await alternate(
      { model: 'mlp', batch: 100, rounds: 3, roundMs: quick ? 250 : 700 },
      (steps) => timed(steps, () => tfjs.step()),
    );
    results['mlp100_vs_tfjs'] = times.peerMs / times.oursMs;
    details['mlp100_vs_tfjs'] = times;
    progress('Two workers against one');
    const workers = await measureDataParallel({ quick });
    results[DATA_PARALLEL.key] = workers.oneMs / workers.twoMs;
    details[DATA_PARALLEL.key] = workers;
    progress('Gradients sent while the rest is computed');
    const links = await measureOverlap({ quick });
    results[OVERLAP.key] = links.afterMs / links.meanwhileMs;
    details[OVERLAP.key] = links;
    progress('Exported modules against PyTorch');
    const oracle = await measureOracle();
    results[ORACLE.key] = oracle.agree / oracle.cases;
    details[ORACLE.key] = oracle;
    if (!quick) {
      progress('Fashion-MNIST, five epochs (some minutes)');
      const garments = await measureFashion();
      results[FASHION.key] = garments.accuracy;
      details[FASHION.key] = garments;
    }
    return {
      name: 'training',
      peer: `PyTorch ${torch.version} (BLAS: OpenBLAS ${debianVersion('libopenblas0-pthread')}), TensorFlow.js ${tfjs.version} on WebAssembly`,
      measures: MEASURES,
      results,
      details,
    };
  } finally {
    await torch.stop();
  }
}

interface Round {
  readonly model: ModelName;
  readonly batch: number;
  readonly rounds: number;
  /** About how long one side takes per round. */
  readonly roundMs: number;
}

/** Medians of both sides, in milliseconds a step. */
async function alternate(
  { model, batch, rounds, roundMs }: Round,
  peer: (steps: number) => Promise<number[]>,
): Promise<{ oursMs: number; peerMs: number }> {
  const open: OpenModel = await openModel(model, batch);
  try {
    // The first steps allocate, and measure the length of a step.
    const warm = median(await timed(3, () => open.step()));
    await peer(3);
    const steps = Math.max(3, Math.min(2000, Math.round(roundMs / warm)));
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(...(await timed(steps, () => open.step())));
      theirs.push(...(await peer(Math.max(3, Math.round(steps / 2)))));
    }
    return { oursMs: median(ours), peerMs: median(theirs) };
  } finally {
    await open.close();
  }
}

async function timed(steps: number, step: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < steps; i++) {
    const begun = performance.now();
    await step();
    times.push(performance.now() - begun);
  }
  return times;
}
