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

/** The file holds the time when it was confirmed; a restart may count so much more as stale. */
const SAVE_MS = 300_000;

export interface KeptKnown {
  /** @returns undefined when there is no file that this version of Skein wrote whole. */
  read(): Promise<KnownState | undefined>;
  /** Begins to write, where it has changed or the file is old. A write in progress is followed by the newest. */
  write(known: KnownState, hasChanged: boolean): void;
  /** Resolves when no write is in progress. */
  written(): Promise<void>;
}

/** @param path absent: nothing is kept. @param onFault called when a write has failed. */
export function keptKnown(path: string | undefined, onFault: (error: unknown) => void): KeptKnown {
  let savedAt = 0;
  let unsaved: KnownState | undefined;
  let saving: Promise<void> | undefined;

  async function save(to: string): Promise<void> {
    while (unsaved !== undefined) {
      const known = unsaved;
      unsaved = undefined;
      await writeKnown(to, known).catch(onFault);
    }
  }

  return {
    read: async () => (path === undefined ? undefined : readKnown(path)),
    write(known, hasChanged) {
      if (path === undefined || !(hasChanged || Date.now() - savedAt > SAVE_MS)) return;
      savedAt = Date.now();
      unsaved = known;
      saving ??= save(path).finally(() => (saving = undefined));
    },
    written: async () => saving,
  };
}

async function readKnown(path: string): Promise<KnownState | undefined> {
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
async function writeKnown(path: string, known: KnownState): Promise<void> {
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
