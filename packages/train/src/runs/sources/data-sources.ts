/**
 * The files of rows and labels, and their digests. They are in the lineage of a run, a resumed run
 * must find the same, and the members of a gang must agree on them.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Lineage } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { labelsFileOf } from './data-files.ts';
import type { ResolvedTraining } from '../origin.ts';
import type { Settings } from '../settings.ts';

type Source = Lineage['data'][number];
export type SourceFile = Omit<Source, 'rows'>;

/** @throws SkeinError FILE_UNREADABLE. */
export async function dataSources(
  { pathOf, versionOf }: Pick<ResolvedTraining, 'pathOf' | 'versionOf'>,
  settings: Pick<Settings, 'data' | 'labels' | 'validation' | 'validationLabels'>,
): Promise<readonly SourceFile[]> {
  const { data, labels, validation, validationLabels } = settings;
  const filesOf = (rows: 'data' | 'validation', labelRole: 'labels' | 'validationLabels') => {
    const [given, givenLabels] =
      rows === 'data' ? [data, labels] : [String(validation), validationLabels];
    const path = pathOf(rows);
    const found = labelsFileOf(path, givenLabels === undefined ? undefined : pathOf(labelRole));
    const role: Source['role'] = rows === 'data' ? 'training' : rows;
    return [
      { role, given, path, version: versionOf(rows) },
      ...(found === undefined
        ? []
        : [
            {
              role: labelRole,
              given: givenLabels ?? basename(found),
              path: found,
              version: undefined,
            },
          ]),
    ];
  };
  const files = [
    ...filesOf('data', 'labels'),
    ...(typeof validation === 'string' ? filesOf('validation', 'validationLabels') : []),
  ];
  return Promise.all(
    files.map(async ({ role, given, path, version }) => ({
      role,
      path: given,
      digest: await digestOf(path),
      ...(version === undefined ? {} : { version }),
    })),
  );
}

/**
 * A run that is resumed with other rows or labels would not give the promised model.
 * @throws SkeinError RUN_CHANGED, naming the file.
 */
export function requireSame(before: Lineage['data'], now: readonly SourceFile[]): void {
  for (const { role, path, digest } of before) {
    const found = now.find((each) => each.role === role)?.digest;
    if (found === digest) continue;
    throw new SkeinError(
      'RUN_CHANGED',
      `"${path}" has changed since the run was started: its sha-256 is ${found?.slice(0, 12)}…, not ${digest.slice(0, 12)}….`,
    );
  }
}

/** sha-256 in hex of a file, or of the names and digests of all files of a folder. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  if (!(await stat(path)).isDirectory()) {
    await pipeline(createReadStream(path), hash);
    return hash.digest('hex');
  }
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    // Inputs of a job are links.
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
  for (const file of files) {
    hash.update(`${file.slice(path.length)}\0${await digestOf(file)}\n`);
  }
  return hash.digest('hex');
}
