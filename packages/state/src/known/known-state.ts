/**
 * A node's copy of the state of its fleet: enough to serve and to identify callers while the
 * store is away. A value; every function here returns a new one.
 *
 * Revisions only count up, each is written once, and a revoked key stays revoked. A store that differs
 * from this has lost writes that this node has seen, or is another store.
 */
import type { DeploymentRecord, KeyRecord, VersionRecord } from '../records.ts';

/** A deployment, with the versions of its targets. */
export interface KnownDeployment {
  readonly row: DeploymentRecord;
  readonly versions: readonly VersionRecord[];
}

export interface KnownState {
  /** The store's; see `Position`. */
  readonly epoch: string;
  /** When the store last confirmed all of it, in milliseconds since 1970. */
  readonly asOf: number;
  readonly deployments: ReadonlyMap<string, KnownDeployment>;
  /** Revisions of removed deployments. */
  readonly removed: ReadonlyMap<string, number>;
  readonly keys: ReadonlyMap<string, KeyRecord>;
}

/** The parts that differ in a newer state. */
export interface Difference {
  readonly deployments: boolean;
  readonly keys: boolean;
}

/** Why a store cannot be the successor of what is known; undefined: it can. */
export function contradiction(known: KnownState, fresh: KnownState): string | undefined {
  if (fresh.epoch !== known.epoch) {
    return `the store is another one: its epoch is ${fresh.epoch}, not ${known.epoch}`;
  }
  const revisions = [
    ...[...known.deployments.values()].map(({ row }) => [row.name, row.revision] as const),
    ...known.removed,
  ];
  for (const [name, revision] of revisions) {
    const now = fresh.deployments.get(name)?.row.revision ?? fresh.removed.get(name) ?? 0;
    if (now < revision) {
      return `deployment "${name}" was at revision ${revision} and is now at ${now}`;
    }
  }
  for (const [name, { row }] of known.deployments) {
    const now = fresh.deployments.get(name)?.row;
    if (now?.revision === row.revision && now.updatedAt !== row.updatedAt) {
      return `deployment "${name}" has another revision ${row.revision}: of ${now.updatedAt}, not ${row.updatedAt}`;
    }
  }
  for (const { id, revokedAt, expiresAt } of known.keys.values()) {
    const now = fresh.keys.get(id);
    if (now === undefined) {
      // A full store removes keys that ended.
      const hasEnded =
        revokedAt !== undefined || (expiresAt !== undefined && Date.parse(expiresAt) < fresh.asOf);
      if (hasEnded) continue;
      return `the API key ${id} is missing`;
    }
    if (revokedAt !== undefined && now.revokedAt === undefined) {
      return `the API key ${id} was revoked and is valid again`;
    }
  }
  return undefined;
}

/** Revocations that a store does not have of keys that it has. */
export function lostRevocations(
  known: KnownState,
  fresh: KnownState,
): { readonly id: string; readonly revokedAt: string }[] {
  return [...known.keys.values()].flatMap(({ id, revokedAt }) => {
    const now = fresh.keys.get(id);
    const isLost = now !== undefined && now.revokedAt === undefined;
    return revokedAt !== undefined && isLost ? [{ id, revokedAt }] : [];
  });
}

export function difference(known: KnownState, fresh: KnownState): Difference {
  // A store that was adopted counts again from an older revision.
  const row = ({ row, versions }: KnownDeployment): string =>
    `${row.revision}/${row.updatedAt}/${versions.length}`;
  const key = ({ revokedAt }: KeyRecord): string => revokedAt ?? '';
  return {
    deployments: !isSame(known.deployments, fresh.deployments, row),
    keys: !isSame(known.keys, fresh.keys, key),
  };
}

function isSame<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>, text: (of: T) => string) {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || text(value) !== text(other)) return false;
  }
  return true;
}

export function withDeployment(known: KnownState, deployment: KnownDeployment): KnownState {
  const { name } = deployment.row;
  const removed = new Map(known.removed);
  removed.delete(name);
  return {
    ...known,
    removed,
    deployments: new Map(known.deployments).set(name, deployment),
  };
}

/** @param revision of the removal. */
export function withoutDeployment(known: KnownState, name: string, revision: number): KnownState {
  const deployments = new Map(known.deployments);
  deployments.delete(name);
  return { ...known, deployments, removed: new Map(known.removed).set(name, revision) };
}

export function withRevocation(known: KnownState, id: string, at: string): KnownState {
  const key = known.keys.get(id);
  if (key === undefined || key.revokedAt !== undefined) return known;
  return { ...known, keys: new Map(known.keys).set(id, { ...key, revokedAt: at }) };
}

export function withKeys(known: KnownState, keys: readonly KeyRecord[]): KnownState {
  return { ...known, keys: new Map(keys.map((key) => [key.id, key])) };
}

export function withoutKeys(known: KnownState, ids: readonly string[]): KnownState {
  return withKeys(
    known,
    [...known.keys.values()].filter(({ id }) => !ids.includes(id)),
  );
}
