/**
 * The records that an import adds to a state, and those that it cannot add: two records of one name that differ.
 * The same record in both is no conflict, so that an import that was interrupted can be repeated.
 */
import { isDeepStrictEqual } from 'node:util';
import type { StoredRow, VersionCounter } from './rows.ts';
import type {
  DeclarationRecord,
  DeploymentRecord,
  KeyRecord,
  Tombstone,
  VersionRecord,
} from '../records.ts';

/** The records of the state that an import may meet. */
export interface Present {
  readonly versions: readonly VersionRecord[];
  readonly counters: readonly VersionCounter[];
  readonly deployments: readonly DeploymentRecord[];
  readonly tombstones: readonly Tombstone[];
  readonly keys: readonly KeyRecord[];
  readonly declarations: readonly DeclarationRecord[];
  /** When each run was last reported. */
  readonly runs: ReadonlyMap<string, string>;
  /** Histories and audit trails, as `entryId` names their entries. */
  readonly entries: ReadonlySet<string>;
}

/** `add`: it is new. `same`: it is there. A text: why it cannot be added. */
export type Verdict = 'add' | 'same' | { readonly conflict: string };

/** The same for equal entries, whatever their numbers are. */
export function entryId(row: Extract<StoredRow, { kind: 'history' | 'audit' }>): string {
  const entries = Object.entries(row.record).filter(([name]) => name !== 'id');
  return JSON.stringify([row.kind, entries.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

export function judgeRows(present: Present): (row: StoredRow) => Verdict {
  const versions = new Map(present.versions.map((each) => [`${each.model} ${each.version}`, each]));
  const contents = new Map(
    present.versions.map((each) => [`${each.model} ${each.digest}`, each.version]),
  );
  const counters = new Map(present.counters.map(({ model, last }) => [model, last]));
  const deployments = new Map(present.deployments.map((each) => [each.name, each]));
  const tombstones = new Map(present.tombstones.map(({ name, revision }) => [name, revision]));
  const keys = new Map(present.keys.map((each) => [each.id, each]));
  const declarations = new Map(
    present.declarations.map((each) => [`${each.kind} ${each.name}`, each]),
  );

  return (row) => {
    switch (row.kind) {
      case 'version': {
        const { model, version } = row.record;
        const there = versions.get(`${model} ${version}`);
        if (there !== undefined) {
          return there.digest === row.record.digest
            ? 'same'
            : conflict(`version ${version} of "${model}" is another model there`);
        }
        const other = contents.get(`${model} ${row.record.digest}`);
        if (other === undefined) return 'add';
        return conflict(`version ${version} of "${model}" is version ${other} there`);
      }
      case 'counter':
        return (counters.get(row.record.model) ?? 0) < row.record.last ? 'add' : 'same';
      case 'deployment': {
        const { name } = row.record;
        if (tombstones.has(name)) return conflict(`deployment "${name}" was removed there`);
        const there = deployments.get(name);
        if (there === undefined) return 'add';
        return isDeepStrictEqual(plain(there), plain(row.record))
          ? 'same'
          : conflict(`deployment "${name}" is at revision ${there.revision} there`);
      }
      case 'tombstone': {
        const { name, revision } = row.record;
        if (tombstones.get(name) === revision) return 'same';
        return deployments.has(name) || tombstones.has(name)
          ? conflict(`deployment "${name}" exists or existed there`)
          : 'add';
      }
      case 'key': {
        const there = keys.get(row.record.id);
        if (there === undefined) return 'add';
        return there.secretHash === row.record.secretHash &&
          there.revokedAt === row.record.revokedAt
          ? 'same'
          : conflict(`key ${row.record.id} is another one there, or revoked in one place only`);
      }
      case 'declaration': {
        const { kind, name, value } = row.record;
        const there = declarations.get(`${kind} ${name}`);
        if (there === undefined) return 'add';
        return isDeepStrictEqual(there.value, value)
          ? 'same'
          : conflict(`${kind} "${name}" is declared differently there`);
      }
      case 'run':
        // The newer report of a run wins, as always.
        return (present.runs.get(row.record.id) ?? '') < row.record.updatedAt ? 'add' : 'same';
      default:
        return present.entries.has(entryId(row)) ? 'same' : 'add';
    }
  };
}

const conflict = (what: string): Verdict => ({ conflict: what });

/** Without fields that are undefined. */
function plain(record: DeploymentRecord): unknown {
  return JSON.parse(JSON.stringify(record));
}
