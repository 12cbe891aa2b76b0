/** A finished run as a version of a model: its file, its lineage, and the versions it became. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run, RunReport, VersionView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { openRunFolder, runPath } from './run-folder.ts';

/**
 * The trained model of a run.
 * @param folder the data folder in which the run is kept.
 * @throws SkeinError RUN_UNFINISHED, ARTIFACT_CORRUPT.
 */
export async function modelOfRun(folder: string, run: Run): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(runPath(folder, run.id), 'model.onnx');
  const bytes = run.result === undefined ? undefined : await readFile(path).catch(() => undefined);
  if (bytes === undefined || run.result === undefined) {
    throw new SkeinError(
      'RUN_UNFINISHED',
      `Run ${run.id} is ${run.status}, and has no trained model at ${path}.`,
    );
  }
  if (createHash('sha256').update(bytes).digest('hex') !== run.result.digest) {
    throw new SkeinError('ARTIFACT_CORRUPT', `${path} is not the model that run ${run.id} made.`);
  }
  return new Uint8Array(bytes);
}

/** Facts about the run that are kept with the version. */
export function lineageMetadata({ id, lineage, result }: Run): Record<string, string> {
  const [training] = lineage.data;
  return {
    run: id,
    parent: lineage.parent.digest,
    data: training?.digest ?? '',
    ...(training?.version === undefined
      ? {}
      : { dataSet: `${training.version.name}@${training.version.version}` }),
    seed: String(lineage.seed),
    skein: lineage.code.skein,
    ...(lineage.code.commit === undefined ? {} : { commit: lineage.code.commit }),
    ...(result?.report === undefined ? {} : headline(result.report)),
  };
}

function headline(report: RunReport): Record<string, string> {
  const short = (value: number) => String(Number(value.toPrecision(6)));
  return report.kind === 'classification'
    ? { accuracy: short(report.accuracy), macroF1: short(report.macroF1) }
    : { rmse: short(report.rmse), mae: short(report.mae) };
}

/** Writes into the run's record that it became a version. */
export async function recordVersion(
  folder: string,
  run: Run,
  { model, version }: Pick<VersionView, 'model' | 'version'>,
): Promise<Run> {
  const at = new Date().toISOString();
  const others = run.versions.filter((each) => each.model !== model || each.version !== version);
  const versions = [...others, { model, version, at }].slice(-100);
  const changed: Run = { ...run, versions, updatedAt: at };
  const kept = await openRunFolder(folder, run.id);
  try {
    await kept.record(changed);
  } finally {
    kept.close();
  }
  return changed;
}
