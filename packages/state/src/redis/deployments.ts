import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Records } from '../contract.ts';
import { fieldsOf, pairsOf, timestampOf, type Calls } from './calls.ts';
import type { DeploymentRecord } from '../records.ts';

type Stored = Pick<DeploymentRecord, 'name' | 'settings' | 'targets' | 'unloaded' | 'rollout'>;

export function deploymentCalls({
  run,
  durable,
}: Calls): Pick<
  Records,
  | 'deployments'
  | 'deployment'
  | 'putDeployment'
  | 'deploymentRevisions'
  | 'removeDeployment'
  | 'tombstones'
> {
  return {
    async deployments() {
      return pairsOf<string, string>((await run('deployments')) as string[])
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, row]) => record(row));
    },
    async deployment(name) {
      const row = (await run('deployment', name)) as string | null;
      return row === null ? undefined : record(row);
    },
    async putDeployment({ name, settings, targets, unloaded, rollout }, expectedRevision, fence) {
      const kept: Stored = { name, settings, targets, unloaded, rollout };
      const row = await durable(
        'put-deployment',
        name,
        expectedRevision,
        JSON.stringify(kept),
        fence?.name ?? '',
        fence?.token ?? '',
      );
      return record(row as string);
    },
    async deploymentRevisions(name) {
      return ((await run('deployment-revisions', name)) as string[]).map(record);
    },
    async removeDeployment(name) {
      await durable('remove-deployment', name);
    },
    async tombstones() {
      return pairsOf<string, string>((await run('tombstones')) as string[])
        .map(([name, revision]) => ({ name, revision: Number(revision) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

function record(row: string): DeploymentRecord {
  const [revision, ms, json = ''] = fieldsOf(row, 3);
  return {
    ...(readJson(json, JSON_BOUNDS.record) as Stored),
    revision: Number(revision),
    updatedAt: timestampOf(ms),
  };
}
