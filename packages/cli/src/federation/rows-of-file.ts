/** The rows of a site from a table, NumPy arrays or a folder of images, checked against its plan. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Plan } from '@skein/federation';
import {
  isOfArrays,
  labelledArrays,
  readSiteArrays,
  readSiteTable,
  rowTermsOf,
  type SiteRows,
} from '@skein/federation/site';
import { parseNpz } from '@skein/train';
import { openRowStore } from '@skein/train/row-store';
import { explaining, formatOf, readTrainingData, tableOf } from '@skein/train/run';
import type { Context } from '../command-line/command.ts';
import { usageError } from '../command-line/usage.ts';

export interface RowFiles {
  readonly data: string;
  readonly labels?: string | undefined;
}

const TABLES = ['csv', 'tsv', 'jsonl', 'parquet'] as const;

/** @throws SkeinError SITE_DATA_UNFIT, FILE_UNREADABLE, USAGE. */
export async function rowsOf(
  { cwd }: Context,
  plan: Plan,
  { data, labels }: RowFiles,
): Promise<SiteRows> {
  const path = resolve(cwd, data);
  const format = await formatOf(path, data);
  const terms = rowTermsOf(plan);
  const table = TABLES.find((each) => each === format);
  if (table !== undefined) {
    return readSiteTable(plan.data, (options) => tableOf(path, table, options), terms);
  }
  if (!isOfArrays(plan.data)) {
    throw usageError(`--data: the plan takes columns of a table, and "${data}" holds arrays.`);
  }
  if (format === 'npz') {
    return explaining(data, async () => {
      const arrays = await parseNpz(await readFile(path));
      return readSiteArrays(plan.data, labelledArrays(plan.data, arrays), terms);
    });
  }
  const folder = await mkdtemp(join(tmpdir(), 'skein-rows-'));
  try {
    const read = await readTrainingData({
      path,
      given: data,
      label: plan.data.target.name,
      labels: labels === undefined ? undefined : resolve(cwd, labels),
      missing: 'refuse',
      imageSize: () => sizeOf(plan),
      // A site reads its rows in each round.
      store: openRowStore(folder, Infinity),
    });
    if (read.from !== 'arrays') throw new TypeError('A table was read as arrays.');
    return readSiteArrays(plan.data, read, terms);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The size of images of a plan. */
function sizeOf({ data }: Plan) {
  const [array] = data.features;
  const [depth, height, width] = array?.kind === 'array' ? array.shape : [];
  const channels = ([1, 3] as const).find((each) => each === depth);
  if (channels !== undefined && height !== undefined && width !== undefined) {
    return { channels, height, width };
  }
  throw usageError(
    '--data: a folder of images needs a plan whose array is [channels, height, width], with 1 or 3 channels.',
  );
}
