/** Settings of the data that would change nothing, because the data have another kind. */
import type { Settings } from '../settings.ts';
import { invalidSetting } from '../failure.ts';
import { formatOf, type Format } from './data-files.ts';

const TABLES = ['csv', 'tsv', 'jsonl', 'parquet'] as const;
const PAIRS = ['npy', 'idx'] as const;

const NAMES: Readonly<Record<Format, string>> = {
  csv: 'a table',
  tsv: 'a table',
  jsonl: 'a table',
  parquet: 'a table',
  npy: 'an .npy file',
  npz: 'an .npz file',
  idx: 'an IDX file',
  images: 'a folder of images',
};

interface Reading {
  /** The formats that the setting is for. */
  readonly formats: readonly Format[];
  readonly what: string;
}

/** Purpose of each setting, in the rows to train on or in the rows for validation. */
const READINGS = {
  label: { formats: [...TABLES, 'npz'], what: 'a column of a table, or an array of an .npz file' },
  features: { formats: TABLES, what: 'columns of a table' },
  missing: { formats: TABLES, what: 'missing values of a table' },
  imageSize: { formats: ['images'], what: 'a folder of images' },
} as const satisfies { readonly [Key in keyof Settings]?: Reading };

const OF_FILE: Reading = { formats: PAIRS, what: 'labels of an .npy or IDX file' };

type Rows = readonly [file: string, format: Format];

/** @throws SkeinError USAGE, naming the setting; FILE_UNREADABLE. */
export async function assertDataSettingsUsed(
  pathOf: (key: 'data' | 'validation') => string,
  settings: Settings,
): Promise<void> {
  const { data, validation } = settings;
  const rows: Rows = [data, await formatOf(pathOf('data'), data)];
  const held: Rows | undefined =
    typeof validation === 'string'
      ? [validation, await formatOf(pathOf('validation'), validation)]
      : undefined;
  for (const [setting, reading] of Object.entries(READINGS)) {
    const given = settings[setting as keyof typeof READINGS];
    // Refusing is what happens without the setting, and no other kind of data has missing values.
    if (given === undefined || given === 'refuse') continue;
    assertUsed(setting, reading, held === undefined ? [rows] : [rows, held]);
  }
  if (settings.labels !== undefined) assertUsed('labels', OF_FILE, [rows]);
  if (settings.validationLabels === undefined) return;
  if (held !== undefined) return assertUsed('validationLabels', OF_FILE, [held]);
  throw invalidSetting(
    '`validationLabels` goes with a file of validation rows, and there is none: leave it out.',
  );
}

function assertUsed(setting: string, { formats, what }: Reading, files: readonly Rows[]): void {
  if (files.some(([, format]) => formats.includes(format))) return;
  const [file, format] = files[0]!;
  throw invalidSetting(
    `\`${setting}\` is for ${what}, and "${file}" is ${NAMES[format]}: leave it out.`,
  );
}
