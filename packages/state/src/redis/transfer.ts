import type { RestoredRow, TransferStore } from '../transfer/rows.ts';
import { pairsOf, type Argument, type Calls } from './calls.ts';
import type { DeploymentRecord } from '../records.ts';

export function transferCalls({ run, durable }: Calls): TransferStore {
  return {
    async versionCounters() {
      return pairsOf<string, string>((await run('version-counters')) as string[])
        .map(([model, last]) => ({ model, last: Number(last) }))
        .sort((a, b) => (a.model < b.model ? -1 : 1));
    },
    async restore(rows) {
      if (rows.length > 0) await durable('restore', ...rows.flatMap(argumentsOf));
    },
  };
}

/** The arguments of `restore.lua`. */
function argumentsOf(row: RestoredRow): Argument[] {
  switch (row.kind) {
    case 'counter':
      return [row.kind, row.record.model, row.record.last];
    case 'version': {
      const { version, createdAt, ...stored } = row.record;
      return [row.kind, stored.model, version, stored.digest, stamped(createdAt, stored)];
    }
    case 'history': {
      const { at, ...entry } = row.record;
      return [row.kind, entry.deployment, entry.kind, stamped(at, entry)];
    }
    case 'audit': {
      const { at, ...entry } = row.record;
      return [row.kind, stamped(at, entry)];
    }
    case 'tombstone':
      return [row.kind, row.record.name, row.record.revision];
    default: {
      const { record, earlier } = row;
      return [
        row.kind,
        record.name,
        record.revision,
        deploymentRow(record),
        earlier.length,
        ...earlier.map(deploymentRow),
      ];
    }
  }
}

const stamped = (at: string, stored: object): string =>
  `${Date.parse(at)} ${JSON.stringify(stored)}`;

function deploymentRow({ revision, updatedAt, ...stored }: DeploymentRecord): string {
  return `${revision} ${stamped(updatedAt, stored)}`;
}
