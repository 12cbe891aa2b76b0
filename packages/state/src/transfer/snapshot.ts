/** Everything of a state, as an import takes it: from a live state here, or from an exported folder. */
import { isDeepStrictEqual } from 'node:util';
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore, State } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { RowKind, StoredRow } from './rows.ts';

export interface Snapshot {
  /** In the order of `ROW_KINDS`. */
  rows(): AsyncIterable<StoredRow>;
  readonly counts: Readonly<Record<RowKind, number>>;
  /** The artifacts of the versions. */
  readonly artifacts: readonly StoredArtifact[];
  read(digest: string): AsyncIterable<Uint8Array>;
}

export interface StoredArtifact {
  readonly digest: string;
  readonly sizeBytes: number;
}

const PAGE = 1000;
/** A read takes milliseconds and a change of a busy fleet comes some times a second. */
const READS = 50;

/**
 * Records that must agree are read between two equal positions of the change feed; history, audit and runs
 * only grow, and follow.
 * @throws SkeinError STATE_CHANGING.
 */
export async function snapshotOf(
  state: State,
  store: Pick<ArtifactStore, 'read' | 'sizeOf'>,
): Promise<Snapshot> {
  const core = await readCore(state);
  const audit = (await state.audit(RETENTION.audit)).toReversed();
  const runs = await state.runs({ limit: RETENTION.runs });
  const history: StoredRow[] = [];
  for await (const row of historyOf(state)) history.push(row);
  const digests = new Map(
    core.versions.map(({ digest, sizeBytes }) => [digest, { digest, sizeBytes }]),
  );
  return {
    counts: {
      counter: core.counters.length,
      version: core.versions.length,
      key: core.keys.length,
      declaration: core.declarations.length,
      audit: audit.length,
      history: history.length,
      run: runs.length,
      tombstone: core.tombstones.length,
      deployment: core.deployments.length,
    },
    artifacts: [...digests.values()],
    read: (digest) => store.read(digest),
    async *rows() {
      for (const record of core.counters) yield { kind: 'counter', record };
      for (const record of core.versions) yield { kind: 'version', record };
      for (const record of core.keys) yield { kind: 'key', record };
      for (const record of core.declarations) yield { kind: 'declaration', record };
      for (const { id: _, ...record } of audit) yield { kind: 'audit', record };
      yield* history;
      // Oldest first. With its epochs, a run may be large.
      for (const { id } of runs.toReversed()) {
        const record = await state.run(id);
        if (record === undefined) throw changing(`run ${id} was removed`);
        yield { kind: 'run', record };
      }
      for (const record of core.tombstones) yield { kind: 'tombstone', record };
      for (const { record, earlier } of core.deployments) {
        yield { kind: 'deployment', record, earlier };
      }
    },
  };
}

type HistoryRow = Extract<StoredRow, { kind: 'history' }>;

/** All of it, oldest first. */
export async function* historyOf(state: State): AsyncGenerator<HistoryRow> {
  for (let after = 0; ;) {
    const page = await state.historyAfter(after, PAGE);
    for (const { id, ...record } of page) {
      yield { kind: 'history', record };
      after = id;
    }
    if (page.length < PAGE) return;
  }
}

async function readCore(state: State) {
  for (let reads = 0; reads < READS; reads += 1) {
    const before = await state.position();
    const records = await state.deployments();
    const core = {
      deployments: await Promise.all(
        records.map(async (record) => ({
          record,
          earlier: await state.deploymentRevisions(record.name),
        })),
      ),
      tombstones: await state.tombstones(),
      versions: await state.versions(),
      counters: await state.versionCounters(),
      keys: await state.keys(),
      declarations: await state.declarations(),
    };
    if (isDeepStrictEqual(await state.position(), before)) return core;
  }
  throw changing('it changed each time');
}

function changing(what: string): SkeinError {
  return new SkeinError('STATE_CHANGING', `The state changed while it was read: ${what}.`);
}
