/**
 * A deployment is a pointer to its newest revision; earlier revisions stay for rollback. A write
 * names the revision that it read and fails if another write has replaced it.
 */
import type { DeploymentSettings, TrafficTarget } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { DeploymentRecord, Records, RolloutRecord, Tombstone } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';
import type { CheckFence } from './leases.ts';

interface Row {
  readonly name: string;
  readonly revision: number;
  readonly settings: string;
  readonly targets: string;
  readonly updated_at: string;
  readonly unloaded: number;
  readonly rollout: string | null;
}

export function deploymentTable(
  database: Database,
  announce: Announce,
  checkFence: CheckFence,
): Pick<
  Records,
  | 'deployments'
  | 'deployment'
  | 'putDeployment'
  | 'deploymentRevisions'
  | 'removeDeployment'
  | 'tombstones'
> {
  const current = `SELECT r.* FROM deployments d JOIN deployment_revisions r USING (name, revision) WHERE d.live = 1`;
  const all = database.prepare(`${current} ORDER BY name`);
  const one = database.prepare(`${current} AND name = :name`);
  const earlier = database.prepare(
    `SELECT r.* FROM deployments d JOIN deployment_revisions r USING (name)
     WHERE name = :name AND r.revision < d.revision ORDER BY r.revision DESC`,
  );
  const pointer = database.prepare('SELECT revision, live FROM deployments WHERE name = :name');
  const point = database.prepare(
    `INSERT INTO deployments VALUES (:name, :revision, 1)
     ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, live = 1`,
  );
  const insert = database.prepare(
    `INSERT INTO deployment_revisions VALUES (:name, :revision, :settings, :targets, :at, :unloaded, :rollout) RETURNING *`,
  );
  const trim = database.prepare(
    'DELETE FROM deployment_revisions WHERE name = :name AND revision < :oldest',
  );
  const markRemoved = database.prepare(
    `UPDATE deployments SET live = 0, revision = revision + 1
     WHERE name = :name AND live = 1 RETURNING revision`,
  );
  const removed = database.prepare(
    'SELECT name, revision FROM deployments WHERE live = 0 ORDER BY name',
  );
  const forget = database.prepare('DELETE FROM deployment_revisions WHERE name = :name');

  return {
    async deployments() {
      return database.read(() => (all.all() as unknown as Row[]).map(record));
    },
    async deployment(name) {
      return database.read(() => {
        const row = one.get({ name });
        return row && record(row as unknown as Row);
      });
    },
    async putDeployment({ name, settings, targets, unloaded, rollout }, expectedRevision, fence) {
      return database.write('power-cut', () => {
        checkFence(fence);
        const last = pointer.get({ name }) as { revision: number; live: number } | undefined;
        const actual = last?.live ? last.revision : 0;
        if (actual !== expectedRevision) {
          throw new SkeinError(
            'ROLLOUT_IN_PROGRESS',
            `Deployment "${name}" is at revision ${actual}, not ${expectedRevision}: another writer has changed it in the meantime.`,
          );
        }
        const revision = (last?.revision ?? 0) + 1;
        const row = insert.get({
          name,
          revision,
          settings: JSON.stringify(settings),
          targets: JSON.stringify(targets),
          at: new Date().toISOString(),
          unloaded: unloaded === true ? 1 : 0,
          rollout: rollout === undefined ? null : JSON.stringify(rollout),
        });
        point.run({ name, revision });
        trim.run({ name, oldest: revision - RETENTION.deploymentRevisions });
        announce({ kind: 'deployment', id: name, revision });
        return record(row as unknown as Row);
      });
    },
    async deploymentRevisions(name) {
      return database.read(() => (earlier.all({ name }) as unknown as Row[]).map(record));
    },
    async removeDeployment(name) {
      database.write('power-cut', () => {
        const tombstone = markRemoved.get({ name }) as { revision: number } | undefined;
        if (tombstone === undefined) return;
        forget.run({ name });
        announce({ kind: 'deployment', id: name, ...tombstone, removed: true });
      });
    },
    async tombstones() {
      return database.read(() =>
        (removed.all() as unknown as Tombstone[]).map((row) => ({ ...row })),
      );
    },
  };
}

function record(row: Row): DeploymentRecord {
  return {
    name: row.name,
    settings: JSON.parse(row.settings) as DeploymentSettings,
    targets: JSON.parse(row.targets) as TrafficTarget[],
    ...(row.unloaded === 1 ? { unloaded: true as const } : {}),
    ...(row.rollout === null ? {} : { rollout: JSON.parse(row.rollout) as RolloutRecord }),
    revision: row.revision,
    updatedAt: row.updated_at,
  };
}
