/** Where the rows of a command go: into a folder or bucket, and into a version of a data set. */
import type { DataVersion } from '@skein/api';
import { text } from '../command-line/option.ts';
import type { Context } from '../command-line/command.ts';
import { usageError } from '../command-line/usage.ts';
import { nameOf } from '../output/data-version.ts';
import type { Style } from '../output/style.ts';
import type { SavedAs, Statements } from './ask-tables.ts';
import { requireName } from './data-versions.ts';
import { openSink, writeResult } from './sink.ts';

export const keepOptions = {
  out: text('FOLDER', 'Folder or bucket for the rows and their manifest, data-set.json.'),
  save: text('NAME', 'Add the rows as the next version of this data set.'),
  note: text('TEXT', 'Note that is kept with this version.'),
};

export interface KeepChoice {
  readonly out: string | undefined;
  readonly save: string | undefined;
  readonly note: string | undefined;
}

export interface Kept {
  /** The manifest that was written. */
  readonly wrote?: string;
  readonly saved?: DataVersion;
}

export const isKept = ({ out, save }: KeepChoice): boolean =>
  out !== undefined || save !== undefined;

/** Before any job starts, so that no work is lost for a folder that cannot be made. @throws SkeinError USAGE. */
export async function requirePlace(
  context: Context,
  { out, save, note }: KeepChoice,
): Promise<void> {
  if (save !== undefined) requireName(save);
  if (note !== undefined && save === undefined) {
    throw usageError('--note TEXT is kept with the version of --save NAME: give both.');
  }
  if (out !== undefined) await (await openSink(context, out))[Symbol.asyncDispose]();
}

/** @param manifest digest of the manifest of stored rows. */
export async function keepRows(
  context: Context,
  { client, save: saveAs }: Statements,
  manifest: string,
  { out, save, note = '' }: KeepChoice,
  origin: Pick<SavedAs, 'files' | 'statement'>,
): Promise<Kept> {
  const [wrote] = out === undefined ? [] : await writeResult(context, client, manifest, out);
  const saved =
    save === undefined ? undefined : await saveAs(manifest, { name: save, note, ...origin });
  return { ...(wrote === undefined ? {} : { wrote }), ...(saved === undefined ? {} : { saved }) };
}

export const keptLines = ({ wrote, saved }: Kept, style: Style): string[] => [
  ...(saved === undefined ? [] : [`saved as ${style.bold(nameOf(saved))}`]),
  ...(wrote === undefined ? [] : [style.dim(`wrote ${wrote}`)]),
];

/** A command with its options, for the lineage of a version. */
export const commandOf = (name: string, options: Readonly<Record<string, unknown>>): string =>
  [
    `skein ${name}`,
    ...Object.entries(options)
      .flatMap(([option, value]) => [value].flat().map((each) => [option, each] as const))
      .filter(([, value]) => value !== undefined)
      .map(([option, value]) => `--${option} ${String(value)}`),
  ].join(' ');
