/**
 * A deployment is a pointer to its newest revision; earlier revisions stay for rollback. A write
 * names the revision that it read and fails if another write has replaced it.
 */
import { SkeinError } from '@skein/api/errors';
import type { Records } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';
import type { CheckFence } from './leases.ts';
import { recordsOf } from './records.ts';
import type { DeploymentRecord, Tombstone } from '../records.ts';

const { toRow, fromRow } = recordsOf<DeploymentRecord>('settings', 'targets', 'rollout');

export const INTO_REVISIONS = `INTO deployment_revisions VALUES
  (:name, :revision, :settings, :targets, :updatedAt, :unloaded, :rollout)`;

export const revisionRow = (record: DeploymentRecord) => ({
  ...toRow(record),
  unloaded: record.unloaded === true ? 1 : 0,
});

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
  const insert = database.prepare(`INSERT ${INTO_REVISIONS} RETURNING *`);
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
  const removeRevision = database.prepare('DELETE FROM deployment_revisions WHERE name = :name');

  return {
    async deployments() {
      return database.read(() => all.all().map(record));
    },
    async deployment(name) {
      return database.read(() => {
        const row = one.get({ name });
        return row && record(row);
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
        const updatedAt = new Date().toISOString();
        const written = { name, settings, targets, unloaded, rollout, revision, updatedAt };
        const row = insert.get(revisionRow(written));
        point.run({ name, revision });
        trim.run({ name, oldest: revision - RETENTION.deploymentRevisions });
        announce({ kind: 'deployment', id: name, revision });
        return record(row!);
      });
    },
    async deploymentRevisions(name) {
      return database.read(() => earlier.all({ name }).map(record));
    },
    async removeDeployment(name) {
      database.write('power-cut', () => {
        const tombstone = markRemoved.get({ name }) as { revision: number } | undefined;
        if (tombstone === undefined) return;
        removeRevision.run({ name });
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

function record({ unloaded, ...row }: Parameters<typeof fromRow>[0]): DeploymentRecord {
  return { ...fromRow(row), ...(unloaded === 1 ? { unloaded: true as const } : {}) };
}
