/**
 * Takes a snapshot over into a state and its artifacts:
 *
 *   judge every row → copy artifacts → versions, keys, audit, history, runs → deployments
 *
 * All is compared before the first byte is written. Artifacts come before the versions that name
 * them, and deployments last, so that nodes that follow the state load what is there. An import
 * that fails in between reports how far it came; the same import with `merge` continues it.
 */
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore, State } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import { entryId, judgeRows, type Present } from './conflicts.ts';
import { SILENT, type Progress } from './export-folder.ts';
import { ROW_KINDS, type RestoredRow, type RowKind } from './rows.ts';
import { historyOf, type Snapshot } from './snapshot.ts';

export interface ImportOptions {
  /** Whether the state may contain records that do not conflict. */
  readonly merge?: boolean;
  readonly notes?: Progress;
}

export interface Imported {
  readonly added: Readonly<Record<RowKind, number>>;
  /** Records that were there already. */
  readonly same: number;
  readonly artifacts: number;
  readonly artifactBytes: number;
}

/** Rows of one transaction, earlier revisions of deployments too. */
const BATCH = 250;
const SHOWN_CONFLICTS = 5;

/** @throws SkeinError IMPORT_CONFLICT (nothing was changed), ARTIFACT_CORRUPT, and what its stores throw. */
export async function importSnapshot(
  snapshot: Snapshot,
  state: State,
  store: ArtifactStore,
  { merge = false, notes = SILENT }: ImportOptions = {},
): Promise<Imported> {
  notes.step('Comparing');
  const present = await readPresent(state, merge);
  const judge = judgeRows(present);
  await refuseConflicts(snapshot, judge);
  const copied = await copyArtifacts(snapshot, store, notes);

  const added = Object.fromEntries(ROW_KINDS.map((kind) => [kind, 0])) as Record<RowKind, number>;
  const total = Object.values(snapshot.counts).reduce((sum, count) => sum + count, 0);
  let [same, batch, batchRows]: [number, RestoredRow[], number] = [0, [], 0];
  const written = (): number => Object.values(added).reduce((sum, count) => sum + count, 0);
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await state.restore(batch);
    for (const { kind } of batch) added[kind] += 1;
    [batch, batchRows] = [[], 0];
    notes.progress(`Record ${written() + same} of ${total}`);
  };
  try {
    for await (const row of snapshot.rows()) {
      if (judge(row) === 'same') {
        same += 1;
        continue;
      }
      if (row.kind === 'key') await state.addKey(row.record);
      else if (row.kind === 'run') await state.putRun(row.record);
      else if (row.kind === 'declaration') await state.putDeclaration(row.record);
      else {
        const rows = 1 + (row.kind === 'deployment' ? row.earlier.length : 0);
        if (batchRows + rows > BATCH) await flush();
        batch.push(row);
        batchRows += rows;
        continue;
      }
      added[row.kind] += 1;
    }
    await flush();
  } catch (error) {
    throw partly(error, written() + same, total);
  }
  return { added, same, ...copied };
}

/** @throws SkeinError IMPORT_CONFLICT when the state is not empty, and the import is no merge. */
async function readPresent(state: State, merge: boolean): Promise<Present> {
  const [versions, counters, deployments, tombstones, keys, declarations] = [
    await state.versions(),
    await state.versionCounters(),
    await state.deployments(),
    await state.tombstones(),
    await state.keys(),
    await state.declarations(),
  ];
  const entries = new Set<string>();
  for (const { id: _, ...record } of await state.audit(RETENTION.audit)) {
    entries.add(entryId({ kind: 'audit', record }));
  }
  for await (const entry of historyOf(state)) entries.add(entryId(entry));
  const runs = new Map(
    (await state.runs({ limit: RETENTION.runs })).map(({ id, updatedAt }) => [id, updatedAt]),
  );
  const counts = {
    versions: versions.length,
    deployments: deployments.length + tombstones.length,
    keys: keys.length,
    declarations: declarations.length,
    runs: runs.size,
    'entries of history and audit': entries.size,
  };
  const found = Object.entries(counts).filter(([, count]) => count > 0);
  if (found.length > 0 && !merge) {
    const what = found.map(([name, count]) => `${name}: ${count}`).join(', ');
    throw new SkeinError(
      'IMPORT_CONFLICT',
      `The state is not empty (${what}). Nothing was changed.`,
    );
  }
  return { versions, counters, deployments, tombstones, keys, declarations, runs, entries };
}

async function refuseConflicts(
  snapshot: Snapshot,
  judge: ReturnType<typeof judgeRows>,
): Promise<void> {
  const conflicts: string[] = [];
  for await (const row of snapshot.rows()) {
    const verdict = judge(row);
    if (typeof verdict === 'object') conflicts.push(verdict.conflict);
  }
  if (conflicts.length === 0) return;
  const shown = conflicts.slice(0, SHOWN_CONFLICTS).join('; ');
  const more =
    conflicts.length > SHOWN_CONFLICTS ? `; and ${conflicts.length - SHOWN_CONFLICTS} more` : '';
  throw new SkeinError('IMPORT_CONFLICT', `${shown}${more}. Nothing was changed.`);
}

/** Copies what is not there, and removes it again when one of them cannot be copied. */
async function copyArtifacts(
  snapshot: Snapshot,
  store: ArtifactStore,
  notes: Progress,
): Promise<{ artifacts: number; artifactBytes: number }> {
  const copied: string[] = [];
  let artifactBytes = 0;
  try {
    for (const [index, { digest, sizeBytes }] of snapshot.artifacts.entries()) {
      notes.step(`Artifact ${index + 1} of ${snapshot.artifacts.length}`);
      if ((await store.sizeOf(digest).catch(missing)) === sizeBytes) continue;
      await store.put(snapshot.read(digest), sizeBytes);
      copied.push(digest);
      artifactBytes += sizeBytes;
    }
  } catch (error) {
    for (const digest of copied) await store.remove(digest).catch(() => undefined);
    throw error;
  }
  return { artifacts: copied.length, artifactBytes };
}

function missing(error: unknown): undefined {
  if (error instanceof SkeinError && error.code === 'ARTIFACT_UNKNOWN') return undefined;
  throw error;
}

function partly(error: unknown, done: number, total: number): unknown {
  if (!(error instanceof SkeinError) || done === 0) return error;
  const how = `${done} of ${total} records were imported; the same import with --merge continues.`;
  return new SkeinError(error.code, `${error.message} ${how}`, { cause: error });
}
