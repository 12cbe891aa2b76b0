import { expect, test } from 'vitest';
import type { DeploymentView } from '@skein/api';
import type { DeployRequest } from '@skein/serving';
import type { DeploymentRecord, VersionRecord } from '@skein/state';
import { auditTrail } from '../../../access/audit-trail.ts';
import { createModelRepository } from './repository.ts';

function stored(model: string, version: string, createdAt = ''): VersionRecord {
  return {
    model,
    version,
    kind: 'onnx',
    digest: '',
    sizeBytes: 0,
    signature: { inputs: [], outputs: [] },
    metadata: {},
    createdAt,
  };
}

type Replica = DeploymentView['targets'][number]['replicas'][number];

function view(
  name: string,
  status: DeploymentView['status'],
  targets: Readonly<Record<string, Replica['state'][]>>,
): DeploymentView {
  return {
    name,
    status,
    reason: `${name} is ${status}`,
    targets: Object.entries(targets).map(([version, states]) => ({
      version,
      replicas: states.map((state, id) => ({ id: String(id), state, busy: false, runs: 0 })),
    })),
  } as unknown as DeploymentView;
}

function repository(
  versions: VersionRecord[],
  views: DeploymentView[],
  deployment?: Partial<DeploymentRecord>,
) {
  const calls: unknown[] = [];
  const control = {
    deploy: async (request: DeployRequest, actor: string) => {
      calls.push([request, actor]);
      return views[0]!;
    },
    unload: async (name: string, actor: string) => void calls.push([name, actor]),
    views: () => views,
  };
  const registry = {
    versions: async (model?: string) =>
      versions.filter((version) => model === undefined || version.model === model),
  };
  const state = { deployment: async () => deployment as DeploymentRecord | undefined };
  const rows: string[] = [];
  const audit = auditTrail(
    {
      addAudit: async ({ actor, action, subject, outcome, remote }) =>
        void rows.push([actor, action, subject, outcome, remote].join(' ')),
    },
    () => {},
  );
  return { calls, rows, repository: createModelRepository(registry, control, state, audit) };
}

test('every stored version is listed with the state of its replicas', async () => {
  const { repository: models } = repository(
    [stored('a', '1'), stored('a', '2'), stored('b', '1'), stored('c', '1'), stored('d', '1')],
    [
      view('a', 'ready', { 2: ['loading', 'ready'] }),
      view('b', 'starting', { 1: ['warming'] }),
      view('c', 'idle', { 1: [] }),
      view('d', 'failed', { 1: ['gone'] }),
    ],
  );
  expect(await models.index()).toEqual([
    { name: 'a', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
    { name: 'a', version: '2', state: 'READY', reason: '' },
    { name: 'b', version: '1', state: 'LOADING', reason: 'b is starting' },
    { name: 'c', version: '1', state: 'READY', reason: '' },
    { name: 'd', version: '1', state: 'UNAVAILABLE', reason: 'd is failed' },
  ]);
});

test('loading deploys the newest version by number, unloading unloads', async () => {
  const {
    calls,
    rows,
    repository: models,
  } = repository([stored('a', '9'), stored('a', '10'), stored('a', '2')], []);
  const ann = { actor: 'ann', remote: '10.0.0.7' };
  await models.load('a', {}, ann);
  await models.unload('a', ann);
  expect(calls).toEqual([
    [{ name: 'a', version: '10', settings: {} }, 'ann'],
    ['a', 'ann'],
  ]);
  await expect(models.load('none', {}, ann)).rejects.toMatchObject({
    code: 'MODEL_UNKNOWN',
    message: "failed to load 'none': no version of it is stored.",
  });
  expect(rows).toEqual([
    'ann repositoryModelLoad a ok 10.0.0.7',
    'ann repositoryModelUnload a ok 10.0.0.7',
    'ann repositoryModelLoad none MODEL_UNKNOWN 10.0.0.7',
  ]);
});

test('loading an unloaded model restores the version that it served, or a newer one stored since', async () => {
  const record = {
    unloaded: true as const,
    updatedAt: '2030-01-02T00:00:00.000Z',
    targets: [
      { version: '1', weight: 100 },
      { version: '2', weight: 0 },
    ],
  };
  const before = [stored('a', '1', '2030-01-01'), stored('a', '2', '2030-01-01')];
  const ann = { actor: 'ann', remote: '' };
  const deployedVersion = async (versions: VersionRecord[]): Promise<unknown> => {
    const { calls, repository: models } = repository(versions, [], record);
    await models.load('a', {}, ann);
    return calls;
  };
  expect(await deployedVersion(before)).toMatchObject([[{ version: '1' }, 'ann']]);
  const later = [...before, stored('a', '3', '2030-01-03')];
  expect(await deployedVersion(later)).toMatchObject([[{ version: '3' }, 'ann']]);
});

test('a config that disagrees with the model, or with the version that is loaded, deploys nothing', async () => {
  const { calls, repository: models } = repository([stored('a', '1')], []);
  const ann = { actor: 'ann', remote: '' };
  const config = JSON.stringify({ input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [1] }] });
  await expect(models.load('a', { config }, ann)).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    message: `failed to load 'a': the model has no input "x"; the names are .`,
  });
  expect(calls).toEqual([]);
});
