/** Deploys a finished run as a version of a model: uploads its file with its lineage. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Run, RunReport, VersionView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { openRunFolder, runPath } from '@skein/state/runs';
import { join } from 'node:path';
import type { Context } from '../command.ts';
import { dataFolder, type ConnectionChoice } from '../connection.ts';
import { reportRun } from './runs.ts';

/** The trained model of a local run. @throws SkeinError RUN_UNFINISHED, ARTIFACT_CORRUPT. */
export async function modelOfRun(
  context: Context,
  choice: ConnectionChoice,
  run: Run,
): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(runPath(dataFolder(context, choice.data), run.id), 'model.onnx');
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

/** Writes the version into the run's record, here and on the node. */
export async function recordVersion(
  context: Context,
  choice: ConnectionChoice,
  run: Run,
  { model, version }: Pick<VersionView, 'model' | 'version'>,
): Promise<Run> {
  const at = new Date().toISOString();
  const others = run.versions.filter((each) => each.model !== model || each.version !== version);
  const changed: Run = {
    ...run,
    versions: [...others, { model, version, at }].slice(-100),
    updatedAt: at,
  };
  const folder = await openRunFolder(dataFolder(context, choice.data), run.id);
  try {
    await folder.record(changed);
  } finally {
    folder.close();
  }
  await reportRun(context, choice, changed);
  return changed;
}
