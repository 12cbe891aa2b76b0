/** Reads what a node needs to know from the store of its fleet. */
import type { State } from '../contract.ts';
import type { KnownDeployment, KnownState } from './known-state.ts';
import type { DeploymentRecord, VersionRecord } from '../records.ts';

export type VersionOf = (model: string, version: string) => Promise<VersionRecord | undefined>;

/**
 * All of it. The position is taken first: what changes while the records are read is in the feed
 * after it.
 */
export async function readAll(
  store: State,
  versionOf: VersionOf,
): Promise<{ readonly fresh: KnownState; readonly cursor: string }> {
  const { epoch, cursor } = await store.position();
  const rows = await store.deployments();
  // After the rows: a deployment that is removed in between is then in one of them, or in both.
  const [tombstones, keys, deployments] = await Promise.all([
    store.tombstones(),
    store.keys(),
    Promise.all(rows.map((row) => withVersions(row, versionOf))),
  ]);
  const live = new Map(deployments.map((each) => [each.row.name, each]));
  const removed = new Map<string, number>();
  for (const { name, revision } of tombstones) {
    if (revision < (live.get(name)?.row.revision ?? 0)) continue;
    live.delete(name);
    removed.set(name, revision);
  }
  const known = new Map(keys.map((key) => [key.id, key]));
  return { fresh: { epoch, asOf: Date.now(), deployments: live, removed, keys: known }, cursor };
}

/** A version that is not found is left out: serving the deployment then fails with that reason. */
export async function withVersions(
  row: DeploymentRecord,
  versionOf: VersionOf,
): Promise<KnownDeployment> {
  const found = await Promise.all(row.targets.map(({ version }) => versionOf(row.name, version)));
  return { row, versions: found.filter((version) => version !== undefined) };
}

/** Versions never change, so one that was read once is not read again. */
export function versionCache(read: VersionOf): VersionOf {
  const known = new Map<string, VersionRecord>();
  return async (model, version) => {
    const name = `${model}/${version}`;
    const found = known.get(name) ?? (await read(model, version));
    if (found !== undefined) known.set(name, found);
    return found;
  };
}
