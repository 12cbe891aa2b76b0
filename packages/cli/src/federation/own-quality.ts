/**
 * The quality of the newest model of a federation on the rows of this site. Only the operator of the site
 * reads it: nothing is sent to the coordinator.
 */
import type { SiteRows } from '@skein/federation/site';
import { readModel } from '@skein/onnx';
import { problemOf } from '@skein/train';
import { federatedModel, strategyOf } from '@skein/train/federated';
import { metricTitle } from '../train/progress.ts';
import { type Metrics, openQuality } from './simulated-quality.ts';

export interface OwnQuality {
  /** The coordinator sent the model after this round. */
  readonly round: number;
  /** On the rows that the site trains on. */
  readonly metrics: Metrics;
  /** Share of the most frequent class; absent for a regression. */
  readonly majority?: number;
}

/** Rows of one run at most. */
const MOST_BATCH = 256;

/** Measures models of a federation on the rows of a site. @param model the ONNX file of the plan. */
export async function openSiteQuality(
  model: Uint8Array<ArrayBuffer>,
  { rows, count, classes }: SiteRows,
) {
  const batch = Math.min(count, MOST_BATCH);
  const problem = problemOf(readModel(model), { batch });
  const federated = federatedModel(problem.graded, strategyOf('fedavg').site);
  const { report, close } = await openQuality(problem, federated, rows, batch);
  const most = Math.max(0, ...classes.map((each) => each.rows));
  return {
    /** How many parameters the model has. */
    length: federated.layout.length,
    report,
    /** Share of the most frequent class; absent for a regression. */
    majority: most === 0 ? undefined : most / count,
    close,
  };
}

export async function ownQuality(
  model: Uint8Array<ArrayBuffer>,
  rows: SiteRows,
  sent: { readonly round: number; readonly broadcast: Float32Array },
): Promise<OwnQuality> {
  const { length, report, majority, close } = await openSiteQuality(model, rows);
  try {
    // A strategy may send further vectors after the parameters.
    const metrics = await report(sent.broadcast.slice(0, length));
    return { round: sent.round, metrics, ...(majority === undefined ? {} : { majority }) };
  } finally {
    await close();
  }
}

/** `accuracy 0.900, AUC 0.950`. */
export const metricsText = (metrics: Metrics): string =>
  Object.entries(metrics)
    .map(([name, value]) => `${metricTitle(name)} ${value.toFixed(3)}`)
    .join(', ');

/** The line for the operator. */
export function qualityText({ round, metrics, majority }: OwnQuality): string {
  const frequent =
    majority === undefined
      ? ''
      : `; ${majority.toFixed(3)} of the rows have the most frequent class`;
  return `On the rows of this site, the model of round ${round} has ${metricsText(metrics)}${frequent}. The coordinator does not receive these numbers.`;
}
