/** An audit of a finished model: canaries that a file holds, and whether each was in the training. */
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { SkeinError } from '@skein/api';
import { readSiteRows } from '@skein/federation/site';
import type { Model } from '@skein/onnx';
import {
  blueprintOf,
  judge,
  modelScores,
  publicTask,
  readJsonLines,
  type AuditReport,
  type PublicColumns,
} from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { modelFile } from '../deploying/model-file.ts';
import { givenFile, readGivenText } from '../file.ts';

/** The column with a canary's membership in the training: 1 or 0. */
export const INCLUDED = 'skein_included';

/** Half of the canaries are guessed about: those that are clearest. */
const GUESSES = 0.5;

export interface ModelAudit {
  readonly model: string;
  readonly before: string | undefined;
  readonly data: string;
  readonly plan: string;
  readonly epsilon: number;
  readonly delta: number;
  readonly confidence: number;
}

/** @throws SkeinError FILE_UNREADABLE, PLAN_INVALID, SITE_DATA_UNFIT, TRAINING_MODEL_UNFIT, AUDIT_UNFIT. */
export async function auditModel(cwd: string, audit: ModelAudit): Promise<AuditReport> {
  const { epsilon: claimed, delta, confidence } = audit;
  const { data } = await planOf(cwd, audit.plan);
  const [model, before] = await Promise.all([
    modelOf(cwd, audit.model, data),
    audit.before === undefined ? undefined : modelOf(cwd, audit.before, data),
  ]);
  const { path } = await givenFile(cwd, audit.data);
  const { rows } = await readSiteRows(data, createReadStream(path), 'jsonl');
  const included = await includedOf(path, audit.data);
  const scores = await modelScores(model, { backend: nativeBackend, rows, before });
  return judge({ scores, included, claimed, delta }, { confidence, guesses: GUESSES });
}

/** The part of a plan that an audit needs: the columns. @throws SkeinError FILE_UNREADABLE, PLAN_INVALID. */
export async function planOf(cwd: string, path: string): Promise<{ readonly data: PublicColumns }> {
  const text = await readGivenText(cwd, path);
  try {
    const { data } = JSON.parse(text) as { data?: PublicColumns };
    if (Array.isArray(data?.features) && typeof data.target === 'object') return { data };
  } catch {
    // Treated as a plan without columns.
  }
  throw new SkeinError('PLAN_INVALID', `"${path}" is not a plan with the columns of its data.`);
}

/** A model that encodes rows with the columns of the plan. */
async function modelOf(
  cwd: string,
  path: string,
  { features, target }: PublicColumns,
): Promise<Model> {
  const { model } = await modelFile(resolve(cwd, path), path);
  const blueprint = blueprintOf(model);
  const table = blueprint?.table;
  if (table === undefined) {
    throw new SkeinError(
      'TRAINING_MODEL_UNFIT',
      `"${path}" has no encoding of rows: a model of \`skein train\` or of a federation has one.`,
    );
  }
  const namesOf = (columns: readonly { readonly name: string }[]): string =>
    columns.map(({ name }) => name).join(', ');
  if (namesOf(table.features) !== namesOf(features)) {
    throw new SkeinError(
      'TRAINING_MODEL_UNFIT',
      `"${path}" is not a model of this plan: it takes the columns ${namesOf(table.features)}, the plan has ${namesOf(features)}.`,
    );
  }
  const task = publicTask(target);
  if (blueprint!.task === task) return model;
  throw new SkeinError(
    'TRAINING_MODEL_UNFIT',
    `"${path}" is not a model of this plan: its task is ${blueprint!.task}, the plan's is ${task}. Train it with --task ${task}.`,
  );
}

async function includedOf(path: string, name: string): Promise<readonly boolean[]> {
  const table = await readJsonLines(createReadStream(path), { missing: 'keep' });
  const column = table.columns.find((each) => each.name === INCLUDED);
  const isCoin =
    column?.kind === 'number' && column.values.every((each) => each === 0 || each === 1);
  if (isCoin) return Array.from(column.values, (each) => each === 1);
  throw new SkeinError(
    'AUDIT_UNFIT',
    `"${name}" needs 1 or 0 in "${INCLUDED}": whether each row was in the training.`,
  );
}
