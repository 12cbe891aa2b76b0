/** How good the newest model that a site was sent is on the rows of that site: told to its operator alone. */
import type { SiteRows } from '@skein/federation/site';
import { readModel } from '@skein/onnx';
import { problemOf } from '@skein/train';
import { federatedModel, strategyOf } from '@skein/train/federated';
import { type Metrics, openQuality } from './simulated-quality.ts';

export interface OwnQuality {
  /** Round after which the model was sent. */
  readonly round: number;
  /** On the rows that the site trains on. */
  readonly metrics: Metrics;
  /** Share of the most frequent class; absent for a regression. */
  readonly majority?: number;
}

const MOST_BATCH = 256;

export async function ownQuality(
  model: Uint8Array<ArrayBuffer>,
  { rows, count, classes }: SiteRows,
  sent: { readonly round: number; readonly broadcast: Float32Array },
): Promise<OwnQuality> {
  const batch = Math.min(count, MOST_BATCH);
  const problem = problemOf(readModel(model), { batch });
  const federated = federatedModel(problem.graded, strategyOf('fedavg').site);
  const quality = await openQuality(problem, federated, rows, batch);
  try {
    // A strategy may send further vectors after the parameters.
    const metrics = await quality.report(sent.broadcast.slice(0, federated.layout.length));
    const most = Math.max(0, ...classes.map((each) => each.rows));
    const frequent = most === 0 ? {} : { majority: most / count };
    return { round: sent.round, metrics, ...frequent };
  } finally {
    await quality.close();
  }
}

/** One line. */
export function qualityText({ round, metrics, majority }: OwnQuality): string {
  const shown = Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join(', ');
  const frequent =
    majority === undefined ? '' : `; its most frequent class has ${majority.toFixed(3)} of them`;
  return `On the rows of this site the model of round ${round} has ${shown}${frequent}. It was told here only.`;
}
