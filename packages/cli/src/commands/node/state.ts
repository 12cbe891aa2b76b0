/** `skein state`: moves the whole state of a node: into a folder, out of one, into a fleet. */
import { resolve } from 'node:path';
import { formatBytes } from '@skein/api/units';
import {
  importSnapshot,
  readExport,
  snapshotOf,
  writeExport,
  type Imported,
} from '@skein/state/transfer';
import { defineCommand } from '../../command-line/command.ts';
import { argument, flag, text } from '../../command-line/option.ts';
import {
  inPlace,
  openSource,
  openTarget,
  placeOf,
  placeOptions,
  requireFleet,
} from './state-place.ts';
import type { Style } from '../../output/style.ts';

const FOLDER = 'Folder of the export.';

export const stateExport = defineCommand({
  name: 'state export',
  summary: 'Write the whole state of a node or a fleet into a folder.',
  details:
    'The export has the versions, deployments with earlier revisions, history, keys (as hashes), audit trail, training runs, and the files of models and compositions. A node may run meanwhile: the export is its state at one moment. The files of training runs stay where they are, and so do jobs, federations, stored responses and the counts of budgets. Only your user can read the folder.',
  examples: {
    'skein state export backup': 'Of the data folder, into a new folder',
    'skein state export backup --redis redis://10.0.0.5 --blobs gs://team/skein': 'Of a fleet',
  },
  arguments: {
    folder: argument('FOLDER', 'Folder to write; new or empty.', { completes: 'file' }),
  },
  options: placeOptions,
  async run(context, { folder, ...place }) {
    const path = resolve(context.cwd, folder);
    return inPlace(openSource(context, placeOf(context, place)), async ({ state, artifacts }) => {
      const snapshot = await snapshotOf(state, artifacts);
      await writeExport(snapshot, path, context.notes);
      return {
        folder: path,
        counts: snapshot.counts,
        artifacts: snapshot.artifacts.length,
        artifactBytes: snapshot.artifacts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      };
    });
  },
  render: ({ folder, counts, artifacts, artifactBytes }, style) =>
    `${style.green('✓')} ${folder}: ${countsText({ ...counts, artifact: artifacts })} ${style.dim(`(${formatBytes(artifactBytes)})`)}`,
});

const merge = flag('Import into a state that is not empty too; records that differ are refused.');

export const stateImport = defineCommand({
  name: 'state import',
  summary: 'Read an exported state into a data folder or a fleet.',
  details:
    'The whole export is checked first: its format, its counts, its digests. The state must be empty. With --merge it may have records: equal ones are left out, and one that differs refuses the import before anything is changed: another deployment or key of the same name, another model under the same number. No node may run on the data folder; the nodes of a fleet may run.',
  examples: {
    'skein state import backup --data new': 'Into a new data folder',
    'skein state import backup --redis redis://10.0.0.5 --blobs gs://team/skein': 'Into a fleet',
  },
  arguments: { folder: argument('FOLDER', FOLDER, { completes: 'file' }) },
  options: { ...placeOptions, merge },
  async run(context, { folder, merge: merges, ...place }) {
    const snapshot = await readExport(resolve(context.cwd, folder));
    return inPlace(openTarget(context, placeOf(context, place)), ({ state, artifacts }) =>
      importSnapshot(snapshot, state, artifacts, { merge: merges, notes: context.notes }),
    );
  },
  render: renderImported,
});

export const stateMove = defineCommand({
  name: 'state move',
  summary: 'Copy the state of a data folder into a fleet.',
  details:
    'Works as an export and an import, without the folder in between. Nothing is removed from the data folder; stop its node afterwards and start it with --redis and --blobs.',
  examples: {
    'skein state move --redis redis://10.0.0.5 --blobs gs://team/skein':
      'What this machine serves is served by the fleet',
  },
  arguments: {},
  options: { ...placeOptions, redis: text('URL', 'Redis of the fleet (or SKEIN_REDIS).'), merge },
  async run(context, { merge: merges, data, ...target }) {
    const fleet = placeOf(context, target);
    requireFleet(fleet);
    return inPlace(openSource(context, { data }), async (source) => {
      const snapshot = await snapshotOf(source.state, source.artifacts);
      return inPlace(openTarget(context, fleet), ({ state, artifacts }) =>
        importSnapshot(snapshot, state, artifacts, { merge: merges, notes: context.notes }),
      );
    });
  },
  render: (imported, style) =>
    `${renderImported(imported, style)}\nNow stop the node of this folder, and start it with --redis and --blobs.`,
});

function renderImported(imported: Imported, style: Style): string {
  const { added, same, artifacts, artifactBytes } = imported;
  const there = same === 0 ? '' : `; ${same} ${same === 1 ? 'record was' : 'records were'} there`;
  return `${style.green('✓')} ${countsText({ ...added, artifact: artifacts })} ${style.dim(`(${formatBytes(artifactBytes)})`)}${there}`;
}

/** One of each kind of record, and several. */
const RECORDS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  version: ['version', 'versions'],
  deployment: ['deployment', 'deployments'],
  key: ['key', 'keys'],
  declaration: ['declaration', 'declarations'],
  run: ['run', 'runs'],
  history: ['entry of history', 'entries of history'],
  audit: ['of audit', 'of audit'],
  artifact: ['file', 'files'],
};

function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(RECORDS)
    .map(([kind, [one, many]]) => `${counts[kind] ?? 0} ${counts[kind] === 1 ? one : many}`)
    .join(', ');
}
