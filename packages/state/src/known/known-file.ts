/**
 * The known state as a file in the data folder of the node, from which it serves when it starts
 * while the store is away. It holds hashes of keys, so only its owner can read it.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { KnownDeployment, KnownState } from './known-state.ts';
import type { KeyRecord } from '../records.ts';

/** Version of the file's form: a file of another one is not read. */
const FORM = 1;

interface Stored {
  readonly form: number;
  readonly epoch: string;
  readonly asOf: number;
  readonly deployments: readonly KnownDeployment[];
  readonly removed: readonly (readonly [name: string, revision: number])[];
  readonly keys: readonly KeyRecord[];
}

/** @returns undefined when there is no file that this version of Skein wrote whole. */
export async function readKnown(path: string): Promise<KnownState | undefined> {
  try {
    const stored = JSON.parse(await readFile(path, 'utf8')) as Stored;
    if (stored.form !== FORM) return undefined;
    return {
      epoch: stored.epoch,
      asOf: stored.asOf,
      deployments: new Map(stored.deployments.map((each) => [each.row.name, each])),
      removed: new Map(stored.removed),
      keys: new Map(stored.keys.map((key) => [key.id, key])),
    };
  } catch {
    return undefined;
  }
}

/** Replaces the file as a whole: a reader never sees an incomplete one. */
export async function writeKnown(path: string, known: KnownState): Promise<void> {
  const stored: Stored = {
    form: FORM,
    epoch: known.epoch,
    asOf: known.asOf,
    deployments: [...known.deployments.values()],
    removed: [...known.removed],
    keys: [...known.keys.values()],
  };
  const draft = `${path}.new`;
  await writeFile(draft, JSON.stringify(stored), { mode: 0o600, flush: true });
  await rename(draft, path);
}
