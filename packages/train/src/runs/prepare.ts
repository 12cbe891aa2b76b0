/** Prepares a training from its settings: model, rows, loss. Writes nothing that outlives the work. */
import type { Lineage } from '@skein/api';
import { usableMemoryBytes } from '@skein/api/machine';
import type { Model } from '@skein/onnx';
import { loadRows, selectRows, splitRows, type Dataset } from '../data/dataset.ts';
import { roundedColumns } from '../data/encoding/rounding.ts';
import { surveyColumns } from '../data/encoding/survey.ts';
import { rowsPerBlock } from '../data/rows/block-order.ts';
import { openRowStore, type FileStore } from '../data/rows/file-rows.ts';
import { markedRows, type RowSet } from '../data/rows/row-set.ts';
import { rowBytesOf, scatterRows } from '../data/rows/scatter.ts';
import type { Shuffle } from '../task/define-training.ts';
import { assemble } from '../task/assemble.ts';
import { blueprintOf } from '../task/blueprint.ts';
import { isSoft } from '../task/labels.ts';
import { LABELS, MASK, problemOf, rowsFor, type Problem } from '../task/problem.ts';
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
import { heldMarks, shuffleFor, shuffleNote, storedRowBytes } from './shuffle.ts';

export interface Prepared {
  readonly source: Pick<ModelSource, 'name' | 'described'>;
  readonly start: Model;
  readonly problem: Problem;
  readonly training: Dataset;
  readonly validation?: Dataset | undefined;
  readonly data: Lineage['data'];
  readonly parent: Lineage['parent'];
  /** Present where it is `blocks`, or given. */
  readonly shuffle?: Shuffle | undefined;
  /** Notes for the user on the data. */
  readonly notes: readonly string[];
}

interface Kept {
  /** The model that the run started with. */
  readonly start: Model;
  readonly lineage: Lineage;
  readonly shuffle: Shuffle | undefined;
}

/** Work on the rows before the first step. */
export interface Preparation {
  readonly doing: 'reading' | 'scaling' | 'encoding' | 'shuffling';
  /** From 0 to 1. */
  readonly share: number;
  /** Rows that are done, where they are counted. */
  readonly rows?: number | undefined;
}

interface Preparing {
  readonly folder: string;
  readonly kept?: Kept;
  readonly onPreparation?: ((work: Preparation) => void) | undefined;
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
  { folder, kept, onPreparation = () => undefined }: Preparing,
  work: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  const store = openRowStore(folder, settings.memory);
  try {
    return await work(await prepare(resolved, settings, store, { kept, report: onPreparation }));
  } finally {
    store.close();
  }
}

async function prepare(
  { pathOf, versionOf, training: { model } }: ResolvedTraining,
  settings: Settings,
  store: FileStore,
  {
    kept,
    report,
  }: { readonly kept: Kept | undefined; readonly report: (work: Preparation) => void },
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
      onRead: (share, rows) => report({ doing: 'reading', share, rows }),
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
    const count = rowsOf(data);
    const memoryBytes = usableMemoryBytes();
    const shuffle = settings.shuffle ?? chosenShuffle(data, memoryBytes, kept);
    const isInBlocks = shuffle === 'blocks';
    const [rows, others] = isInBlocks ? marked(count, settings) : split(count, settings);
    const start =
      kept?.start ??
      assemble({
        model: source.model,
        data,
        rows,
        onShare: (share) => report({ doing: 'scaling', share }),
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
    const encoded = (of: TrainingData, storesLabels: boolean) =>
      rowsFor(start, of, problem.loss, {
        storesLabels,
        onRows: (done) => report({ doing: 'encoding', share: done / rowsOf(of), rows: done }),
      });
    const all = encoded(data, isInBlocks);
    const heldRows =
      held === undefined ? undefined : encoded(withoutWeights(held, settings.weights), false);
    const dataNotes = notesOn(data);
    for (const each of [data, held]) if (each?.from === 'table') each.table.release?.();
    const parts = isInBlocks
      ? inBlocks(all, others, heldRows, {
          store,
          seed: settings.seed,
          onRows: (done, of) => report({ doing: 'shuffling', share: done / of }),
        })
      : {
          training: selectRows(all, rows as Uint32Array),
          validation: heldRows ?? (others.length === 0 ? undefined : selectRows(all, others)),
        };
    const digest =
      typeof model === 'string' && model.endsWith('.onnx')
        ? await digestOf(pathOf('model'))
        : digestOfModel(start);
    return {
      source,
      start,
      problem,
      ...parts,
      data: sources.map((file) => ({
        ...file,
        rows: rowsOf(file.role.startsWith('validation') ? held! : data),
      })),
      parent: kept?.lineage.parent ?? { path: source.described, digest },
      ...(isInBlocks || settings.shuffle !== undefined ? { shuffle } : {}),
      notes: [...notes, ...dataNotes, ...(isInBlocks ? [shuffleNote(data, memoryBytes)] : [])],
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

/** A run that is resumed keeps its choice, on whatever machine. */
function chosenShuffle(data: TrainingData, memoryBytes: number, kept: Kept | undefined): Shuffle {
  if (kept !== undefined) return kept.shuffle ?? 'rows';
  const rowBytes = storedRowBytes(data);
  return rowBytes === undefined ? 'rows' : shuffleFor(rowsOf(data), rowBytes, memoryBytes);
}

/** Training rows and validation rows. */
function split(
  count: number,
  settings: Settings,
): readonly [training: Uint32Array, validation: Uint32Array] {
  const share = heldShare(settings);
  if (share === 0)
    return [Uint32Array.from({ length: count }, (_, row) => row), new Uint32Array(0)];
  return splitRows(count, { share: 1 - share, seed: settings.seed });
}

/** The same in memory of a byte for each row. @returns marks in place of the numbers of validation rows. */
function marked(
  count: number,
  settings: Settings,
): readonly [training: RowSet, validation: Uint8Array] {
  const share = heldShare(settings);
  const marks =
    share === 0
      ? new Uint8Array(count)
      : heldMarks(count, { share: 1 - share, seed: settings.seed });
  return [markedRows(marks, 0), marks];
}

/** Share of the rows that is held out. */
function heldShare({ validation }: Settings): number {
  if (typeof validation === 'string' || validation === 0) return 0;
  if (validation > 0 && validation < 1) return validation;
  throw invalidSetting(`\`validation\`: ${validation} is not a share from 0 to below 1.`);
}

/** Training rows in a random order in a file, and validation rows, both to be read block by block. */
function inBlocks(
  all: Dataset,
  held: Uint8Array | Uint32Array,
  heldRows: Dataset | undefined,
  options: Pick<Parameters<typeof scatterRows>[1], 'store' | 'seed' | 'onRows'>,
): Pick<Prepared, 'training' | 'validation'> {
  const { training, heldOut } = scatterRows(all, { ...options, held: held as Uint8Array });
  const validation = heldRows ?? heldOut;
  return {
    // A batcher sums the weights of all rows first.
    training: loadRows(training, [MASK]),
    validation: validation && {
      blockRows: rowsPerBlock(rowBytesOf(validation)),
      ...loadRows(validation, [LABELS]),
    },
  };
}
