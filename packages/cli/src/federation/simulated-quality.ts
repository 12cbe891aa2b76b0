/** How good the models of a simulated federation are, on rows that no site trains on. */
import { values } from '@skein/onnx';
import {
  LABELS,
  MASK,
  metricsOf,
  openEvaluator,
  taskReport,
  type Dataset,
  type Problem,
} from '@skein/train';
import type { federatedModel } from '@skein/train/federated';
import { tensorsOf } from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';

export type Metrics = Readonly<Record<string, number>>;

/** On rows that sites have kept for it: the global model, and each site's own. */
export interface Compared {
  readonly rows: number;
  readonly global: Metrics;
  readonly own: Metrics;
}

/** Tries the parameters of a round on held-out rows. */
export async function openQuality(
  problem: Problem,
  { step, layout }: ReturnType<typeof federatedModel>,
  data: Dataset,
  batch: number,
) {
  const inputs = step.inputs.map(({ name }) => name).filter((name) => !OF_LOSS.has(name));
  const output = problem.prediction;
  const evaluator = await openEvaluator(problem.predicting, step, {
    backend: nativeBackend,
    data,
    batch,
    inputs,
    output,
  });
  const predict = (parameters: Float32Array): Promise<Float32Array> =>
    evaluator.predict(tensorsOf(layout, parameters));
  const metrics = (predicted: Float32Array): Metrics =>
    metricsOf(taskReport(problem, data, predicted));
  return {
    predict,
    metrics,
    report: async (parameters: Float32Array) => metrics(await predict(parameters)),
    close: () => evaluator.close(),
  };
}

/** Tries the model of each site, and the global one, on the rows that the site has kept. */
export async function comparedOn(
  kept: readonly Uint32Array[],
  own: (site: number) => Float32Array,
  global: Float32Array,
  open: (rows: Uint32Array) => ReturnType<typeof openQuality>,
): Promise<Compared> {
  const rows = Uint32Array.from(kept.flatMap((each) => [...each]));
  const quality = await open(rows);
  try {
    const byGlobal = await quality.predict(global);
    const byOwn = byGlobal.slice();
    const width = byGlobal.length / rows.length;
    let at = 0;
    for (const [site, { length }] of kept.entries()) {
      const end = at + length * width;
      byOwn.set((await quality.predict(own(site))).subarray(at, end), at);
      at = end;
    }
    return { rows: rows.length, global: quality.metrics(byGlobal), own: quality.metrics(byOwn) };
  } finally {
    await quality.close();
  }
}

/** The global model on the held-out rows of one centre. */
export interface CentreQuality {
  readonly name: string;
  readonly trainingRows: number;
  readonly heldOutRows: number;
  /** Share of the most frequent class among the held-out rows; absent for a regression. */
  readonly majority?: number;
  readonly metrics: Metrics;
}

/** Tries parameters on the held-out rows of each centre. */
export function qualityOfCentres(
  centres: readonly {
    readonly name: string;
    readonly trainingRows: number;
    readonly held: Dataset;
  }[],
  parameters: Float32Array,
  isClassified: boolean,
  open: (rows: Dataset) => ReturnType<typeof openQuality>,
): Promise<CentreQuality[]> {
  return Promise.all(
    centres.map(async ({ name, trainingRows, held }) => {
      const quality = await open(held);
      try {
        const metrics = await quality.report(parameters);
        const frequent = isClassified ? { majority: majorityOf(held) } : {};
        return { name, trainingRows, heldOutRows: held.count, ...frequent, metrics };
      } finally {
        await quality.close();
      }
    }),
  );
}

const OF_LOSS = new Set([LABELS, MASK]);

/** Share of the most frequent class: what a model reaches that always answers the same. */
export function majorityOf({ tensors, count }: Dataset): number {
  const counts = new Map<number, number>();
  for (const label of values(tensors.get(LABELS)!)) {
    counts.set(Number(label), (counts.get(Number(label)) ?? 0) + 1);
  }
  return Math.max(...counts.values()) / count;
}
