/** A state with a record of every kind, and everything that can be read of one. */
import { randomBytes } from 'node:crypto';
import { DeploymentSettings } from '@skein/api';
const settings = DeploymentSettings.parse({});
import type { ArtifactStore, State } from '../../contract.ts';
import { sampleRun } from '../../runs/testing/sample-run.ts';

export const SIGNATURE = {
  inputs: [{ name: 'x', type: 'float32' as const, shape: ['batch', 4, null] }],
  outputs: [{ name: 'größe', type: 'string' as const, shape: [] }],
};

export async function fillState(state: State, artifacts: ArtifactStore): Promise<void> {
  for (const model of ['risk', 'risk', 'risk', 'ocr']) {
    const bytes = randomBytes(1000);
    const stored = await artifacts.put(
      (async function* () {
        yield bytes;
      })(),
      1000,
    );
    await state.addVersion({
      model,
      kind: 'onnx',
      ...stored,
      signature: SIGNATURE,
      metadata: { by: 'a "quoted"\u2028name' },
    });
  }
  // The number 3 is never given again.
  await state.removeVersion('risk', '3');
  for (let revision = 0; revision < 3; revision++) {
    const targets = [{ version: String(1 + (revision % 2)), weight: 1 }];
    await state.putDeployment({ name: 'risk', settings, targets }, revision);
  }
  const targets = [{ version: '1', weight: 1 }];
  await state.putDeployment({ name: 'ocr', settings, targets, unloaded: true }, 0);
  await state.putDeployment({ name: 'gone', settings, targets }, 0);
  await state.removeDeployment('gone');
  const key = {
    label: 'laptop',
    tenant: 'ward-3',
    scopes: ['infer'] as const,
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  await state.addKey({ ...key, id: 'k1', secretHash: 'ab', ratePerSecond: 2.5 });
  await state.addKey({ ...key, id: 'k2', secretHash: 'cd' });
  await state.revokeKey('k2', '2026-01-02T00:00:00.000Z');
  for (const [index, kind] of (['deployed', 'scaled', 'undeployed'] as const).entries()) {
    const details = { index, nested: { list: [] } };
    await state.addHistory({ deployment: 'risk', kind, reason: 'because', details, actor: 'k1' });
    await state.addAudit({
      actor: 'k1',
      action: kind,
      subject: 'risk',
      outcome: 'ok',
      remote: '::1',
    });
  }
  await state.putDeclaration({
    kind: 'language-model',
    name: 'assistant',
    value: { routes: [{ provider: 'google', weight: 1 }] },
    updatedAt: '2026-01-01T00:00:00.000Z',
  });
  await state.putRun(sampleRun('first', { startedAt: '2026-01-01T00:00:00.000Z' }));
  await state.putRun(sampleRun('second', { startedAt: '2026-01-02T00:00:00.000Z' }));
}

/** Without the numbers of entries, which each state gives itself. */
export async function contentsOf(state: State) {
  const deployments = await state.deployments();
  const runs = await state.runs({ limit: 1000 });
  return {
    versions: await state.versions(),
    counters: await state.versionCounters(),
    deployments,
    earlier: await Promise.all(deployments.map(({ name }) => state.deploymentRevisions(name))),
    tombstones: await state.tombstones(),
    keys: (await state.keys()).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    declarations: await state.declarations(),
    history: (await state.history({ limit: 1000 })).map((entry) => ({ ...entry, id: 0 })),
    audit: (await state.audit(1000)).map((entry) => ({ ...entry, id: 0 })),
    runs: await Promise.all(runs.map(({ id }) => state.run(id))),
  };
}
