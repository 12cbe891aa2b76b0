/**
 * A deployment is a pointer to its newest revision; earlier revisions stay for rollback. A write
 * names the revision that it read and fails if another write has replaced it.
 */
import type { DeploymentSettings, TrafficTarget } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { DeploymentRecord, State } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { Database } from './database.ts';

interface Row {
  readonly name: string;
  readonly revision: number;
  readonly settings: string;
  readonly targets: string;
  readonly updated_at: string;
  readonly unloaded: number;
}

export function deploymentTable(
  database: Database,
): Pick<
  State,
  'deployments' | 'deployment' | 'putDeployment' | 'deploymentRevisions' | 'removeDeployment'
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
    `INSERT INTO deployment_revisions VALUES (:name, :revision, :settings, :targets, :at, :unloaded) RETURNING *`,
  );
  const trim = database.prepare(
    'DELETE FROM deployment_revisions WHERE name = :name AND revision < :oldest',
  );
  const markRemoved = database.prepare('UPDATE deployments SET live = 0 WHERE name = :name');
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
    async putDeployment({ name, settings, targets, unloaded }, expectedRevision) {
      return database.write('power-cut', () => {
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
        });
        point.run({ name, revision });
        trim.run({ name, oldest: revision - RETENTION.deploymentRevisions });
        return record(row as unknown as Row);
      });
    },
    async deploymentRevisions(name) {
      return database.read(() => (earlier.all({ name }) as unknown as Row[]).map(record));
    },
    async removeDeployment(name) {
      database.write('power-cut', () => {
        markRemoved.run({ name });
        forget.run({ name });
      });
    },
  };
}

function record(row: Row): DeploymentRecord {
  return {
    name: row.name,
    settings: JSON.parse(row.settings) as DeploymentSettings,
    targets: JSON.parse(row.targets) as TrafficTarget[],
    ...(row.unloaded === 1 ? { unloaded: true as const } : {}),
    revision: row.revision,
    updatedAt: row.updated_at,
  };
}
