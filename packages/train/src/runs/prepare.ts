/** Prepares a training from its settings: model, rows, loss. Writes nothing that outlives the work. */
import type { Lineage } from '@skein/api';
import type { Model } from '@skein/onnx';
import { selectRows, splitRows, type Dataset } from '../data/dataset.ts';
import { roundedColumns } from '../data/encoding/rounding.ts';
import { surveyColumns } from '../data/encoding/survey.ts';
import { openRowStore, type FileStore } from '../data/rows/file-rows.ts';
import { assemble } from '../task/assemble.ts';
import { blueprintOf } from '../task/blueprint.ts';
import { isSoft } from '../task/labels.ts';
import { problemOf, rowsFor, type Problem } from '../task/problem.ts';
import { withRowWeights } from '../task/row-weights.ts';
import { rowsOf, type TrainingData } from '../task/training-data.ts';
import { readTrainingData } from './sources/data-files.ts';
import { dataSources, digestOf, requireSame } from './sources/data-sources.ts';
import { explaining, invalidSetting } from './failure.ts';
import { digestOfModel } from './lineage.ts';
import { assertDataSettingsUsed } from './sources/unused-settings.ts';
import { imageSizeOf, openModelSource, type ModelSource } from './sources/model-source.ts';
import type { ResolvedTraining } from './origin.ts';
import type { Settings } from './settings.ts';

export interface Prepared {
  readonly source: Pick<ModelSource, 'name' | 'described'>;
  readonly start: Model;
  readonly problem: Problem;
  readonly training: Dataset;
  readonly validation?: Dataset | undefined;
  readonly data: Lineage['data'];
  readonly parent: Lineage['parent'];
  /** Notes for the user on the data. */
  readonly notes: readonly string[];
}

interface Kept {
  /** The model that the run started with. */
  readonly start: Model;
  readonly lineage: Lineage;
}

/**
 * Prepares a training, and works with it. Rows that are more than fit into memory are in files of
 * the folder until the work has ended.
 *
 * @param kept of a run that is resumed.
 * @throws SkeinError FILE_UNREADABLE, USAGE, TRAINING_DATA_INVALID, TRAINING_MODEL_UNFIT.
 */
export async function withPrepared<T>(
  resolved: ResolvedTraining,
  settings: Settings,
  { folder, kept }: { readonly folder: string; readonly kept?: Kept },
  work: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  const store = openRowStore(folder, settings.memory);
  try {
    return await work(await prepare(resolved, settings, store, kept));
  } finally {
    store.close();
  }
}

async function prepare(
  { pathOf, versionOf, training: { model } }: ResolvedTraining,
  settings: Settings,
  store: FileStore,
  kept?: Kept,
): Promise<Prepared> {
  const source = await openModelSource(kept?.start ?? model, () => pathOf('model'));
  if (kept === undefined) {
    await assertDataSettingsUsed(pathOf, settings);
    assertEncodingOpen(source, settings);
  }
  const read = (path: string, given: string, labels: string | undefined) =>
    readTrainingData({
      path,
      given,
      label: settings.label,
      labels,
      features: settings.features,
      weights: settings.weights,
      missing: settings.missing,
      imageSize: () => imageSizeOf(source, settings.imageSize),
      store,
    });
  const { validation } = settings;
  const held =
    typeof validation === 'string'
      ? await read(
          pathOf('validation'),
          validation,
          settings.validationLabels === undefined ? undefined : pathOf('validationLabels'),
        )
      : undefined;
  const labels = settings.labels === undefined ? undefined : pathOf('labels');
  const bare = await read(pathOf('data'), settings.data, labels);
  const sources = await dataSources({ pathOf, versionOf }, settings);
  if (kept !== undefined) requireSame(kept.lineage.data, sources);
  return explaining(undefined, async () => {
    const weighted = settings.weights === undefined ? bare : withRowWeights(bare, settings.weights);
    const { data, notes } = surveyed(weighted, source, settings);
    const [rows, others] = split(data, settings);
    const start =
      kept?.start ??
      assemble({
        model: source.model,
        data,
        rows,
        seed: settings.seed,
        task: settings.task,
        scaling: settings.scaling,
        ...(settings.missing === 'mean' ? { missing: 'mean' } : {}),
        soft: isSoft(settings.loss),
      });
    const problem = problemOf(start, {
      batch: settings.batch,
      loss: settings.loss,
      frozen: settings.freeze,
    });
    const all = rowsFor(start, data, problem.loss);
    const heldRows =
      held === undefined
        ? undefined
        : rowsFor(start, withoutWeights(held, settings.weights), problem.loss);
    const validation = heldRows ?? (others.length === 0 ? undefined : selectRows(all, others));
    const digest =
      typeof model === 'string' && model.endsWith('.onnx')
        ? await digestOf(pathOf('model'))
        : digestOfModel(start);
    return {
      source,
      start,
      problem,
      training: selectRows(all, rows),
      validation,
      data: sources.map((file) => ({
        ...file,
        rows: rowsOf(file.role.startsWith('validation') ? held! : data),
      })),
      parent: kept?.lineage.parent ?? { path: source.described, digest },
      notes: [...notes, ...notesOn(data)],
    };
  });
}

/**
 * A model that was trained here has its encoding and its task.
 * @throws SkeinError USAGE for a setting that would change nothing of them.
 */
function assertEncodingOpen(
  { model, described }: ModelSource,
  { features, scaling, task }: Settings,
): void {
  const blueprint = typeof model === 'function' ? undefined : blueprintOf(model);
  if (blueprint === undefined) return;
  const [setting] = [
    ...(features === undefined ? [] : ['`features`']),
    ...(scaling === undefined ? [] : ['`scaling`']),
    ...(task === undefined || task === blueprint.task ? [] : ['`task`']),
  ];
  if (setting === undefined) return;
  throw invalidSetting(
    `${described} was trained before, and keeps its columns, its scaling and its task: leave ${setting} out.`,
  );
}

/** The columns for a network that is built; the columns of a model that is given are its own. */
function surveyed(
  data: TrainingData,
  { model }: ModelSource,
  { features, label, weights }: Settings,
): { readonly data: TrainingData; readonly notes: readonly string[] } {
  if (data.from !== 'table' || typeof model !== 'function') return { data, notes: [] };
  const apart = [label, weights].filter((name) => name !== undefined);
  const { notes, ...chosen } = surveyColumns(data.table, features, apart);
  const format = data.table.format === undefined ? [] : [`The file has ${data.table.format}.`];
  return { data: { ...data, ...chosen }, notes: [...format, ...notes] };
}

function notesOn(data: TrainingData): readonly string[] {
  if (data.from !== 'table') return [];
  const { table, label, features } = data;
  const used = new Set([...(features ?? table.columns.map(({ name }) => name)), label]);
  return roundedColumns(table, [...used]).map(
    ({ lost, smallest }) =>
      `${lost}: subtract a constant from the column, such as ${smallest}, here and in requests to the model.`,
  );
}

/** Validation rows all have the same weight. */
function withoutWeights(held: TrainingData, name: string | undefined): TrainingData {
  if (name === undefined || held.from === 'table') return held;
  return { ...held, inputs: new Map([...held.inputs].filter(([each]) => each !== name)) };
}

/** Training rows and validation rows. */
function split(
  data: TrainingData,
  { validation, seed }: Settings,
): readonly [Uint32Array, Uint32Array] {
  const count = rowsOf(data);
  if (typeof validation === 'string' || validation === 0) {
    return [Uint32Array.from({ length: count }, (_, row) => row), new Uint32Array(0)];
  }
  if (!(validation > 0 && validation < 1)) {
    throw invalidSetting(`\`validation\`: ${validation} is not a share from 0 to below 1.`);
  }
  return splitRows(count, { share: 1 - validation, seed });
}
