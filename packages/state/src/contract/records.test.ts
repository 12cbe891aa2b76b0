/** The contract of the records of `State`, over every backend. */
import { RolloutPlan, summaryOf } from '@skein/api';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { RETENTION } from '../retention.ts';
import { sampleRun } from '../runs/testing/sample-run.ts';
import { code, modelVersion, overEveryState, settings } from '../testing/every-state.ts';
import type { DeploymentRecord, KeyRecord, RolloutRecord } from '../records.ts';

const key: KeyRecord = {
  id: 'k1',
  secretHash: 'ab',
  label: 'laptop',
  tenant: 'ward-3',
  scopes: ['infer', 'read'],
  ratePerSecond: 2.5,
  maxConcurrent: 4,
  weight: 2.5,
  createdAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2027-01-01T00:00:00.000Z',
};
overEveryState('records', (at) => {
  it('keeps runs, newest first, and returns each as it was stored', async () => {
    const first = sampleRun('first', { startedAt: '2026-01-01T00:00:00.000Z' });
    const second = sampleRun('second', { startedAt: '2026-01-02T00:00:00.000Z', epochs: [] });
    expect(await at.state.putRun(second)).toEqual(summaryOf(second));
    await at.state.putRun(first);
    expect(await at.state.runs({ limit: 10 })).toEqual([second, first].map(summaryOf));
    expect(await at.state.runs({ limit: 1 })).toEqual([summaryOf(second)]);
    expect(await at.state.runs({ limit: 9, after: second })).toEqual([summaryOf(first)]);
    const { status } = first;
    expect(await at.state.runs({ limit: 9, after: second, status })).toEqual([summaryOf(first)]);
    expect(await at.state.runs({ limit: 9, after: first })).toEqual([]);
    expect(await at.state.run('first')).toEqual(first);
    expect(await at.state.run('third')).toBeUndefined();
    expect(await at.state.removeRun('first')).toBe(true);
    expect(await at.state.removeRun('first')).toBe(false);
    expect(await at.state.runs({ limit: 10 })).toHaveLength(1);
  });

  it('keeps the newest report of a run, whatever the order of arrival', async () => {
    const early = sampleRun('r', { updatedAt: '2026-01-01T00:00:01.000Z' });
    const late = sampleRun('r', { updatedAt: '2026-01-01T00:00:02.000Z', status: 'finished' });
    await at.state.putRun(late);
    expect(await at.state.putRun(early)).toEqual(summaryOf(late));
    expect(await at.state.run('r')).toEqual(late);
    expect(await at.state.runs({ status: 'running', limit: 9 })).toEqual([]);
    expect(await at.state.runs({ status: 'finished', limit: 9 })).toEqual([summaryOf(late)]);
  });

  it('keeps declarations by kind and name, and the last one of a name', async () => {
    const at1 = '2026-01-01T00:00:00.000Z';
    const declared = (kind: string, name: string, value = {}, updatedAt = at1) => ({
      kind,
      name,
      value,
      updatedAt,
    });
    await at.state.putDeclaration(declared('provider', 'google', { url: 'https://a' }));
    await at.state.putDeclaration(declared('model', 'google'));
    const later = declared(
      'provider',
      'google',
      { nested: [{ a: 1.5 }] },
      '2026-01-02T00:00:00.000Z',
    );
    await at.state.putDeclaration(later);
    expect(await at.state.declarations()).toEqual([declared('model', 'google'), later]);
    expect(await at.state.addDeclaration(declared('provider', 'google'))).toBe(false);
    expect(await at.state.declarations()).toEqual([declared('model', 'google'), later]);
    expect(await at.state.removeDeclaration('provider', 'google')).toBe(true);
    expect(await at.state.removeDeclaration('provider', 'google')).toBe(false);
    expect(await at.state.declarations()).toEqual([declared('model', 'google')]);
    const at6 = Array.from({ length: 6 }, (_, i) => declared('set', 'a@1', { i }));
    const added = await Promise.all(at6.map((each) => at.state.addDeclaration(each)));
    expect(added.filter(Boolean)).toHaveLength(1);
    const kept = (await at.state.declarations()).at(-1)?.value['i'];
    expect(kept).toBe(added.indexOf(true));
  });

  it('numbers the versions of each model from 1 and returns each record as it was stored', async () => {
    const first = await at.state.addVersion(modelVersion('a', 1));
    const second = await at.state.addVersion(modelVersion('a', 2));
    const other = await at.state.addVersion(modelVersion('b', 1));
    expect([first.version, second.version, other.version]).toEqual(['1', '2', '1']);
    expect(first).toMatchObject(modelVersion('a', 1));
    expect(new Date(first.createdAt).toISOString()).toBe(first.createdAt);
    expect(await at.state.version('a', '2')).toEqual(second);
    expect(await at.state.versions('a')).toEqual([first, second]);
    expect(await at.state.versions()).toEqual([first, second, other]);
  });

  it('returns the existing version for the same digest', async () => {
    const first = await at.state.addVersion(modelVersion('a', 1));
    expect(
      await at.state.addVersion({ ...modelVersion('a', 1), metadata: { again: 'yes' } }),
    ).toEqual(first);
  });

  it('never reuses the number of a removed version', async () => {
    await at.state.addVersion(modelVersion('a', 1));
    await at.state.removeVersion('a', '1');
    await at.state.removeVersion('a', '1');
    expect(await at.state.versions('a')).toEqual([]);
    expect((await at.state.addVersion(modelVersion('a', 1))).version).toBe('2');
  });

  it.each(['0', '01', '1.0', '1e0', '-1', '', 'latest', '9'.repeat(40)])(
    'has no version "%s"',
    async (version) => {
      await at.state.addVersion(modelVersion('a', 1));
      expect(await at.state.version('a', version)).toBeUndefined();
      await at.state.removeVersion('a', version);
      expect(await at.state.versions('a')).toHaveLength(1);
    },
  );

  it('numbers concurrent additions without a gap or a repeat', async () => {
    const added = await Promise.all(
      Array.from({ length: 20 }, (_, seed) => at.state.addVersion(modelVersion('a', seed))),
    );
    expect(added.map((each) => Number(each.version)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });

  it('replaces a deployment under its revision and keeps the earlier rows, newest first', async () => {
    const first = await at.state.putDeployment(
      { name: 'risk', settings, targets: [{ version: '1', weight: 1 }] },
      0,
    );
    const second = await at.state.putDeployment(
      { name: 'risk', settings, targets: [{ version: '2', weight: 0.5 }] },
      first.revision,
    );
    expect(second.revision).toBeGreaterThan(first.revision);
    expect(await at.state.deployment('risk')).toEqual(second);
    expect(await at.state.deployments()).toEqual([second]);
    const third = await at.state.putDeployment({ name: 'risk', settings, targets: [] }, 2);
    expect(await at.state.deploymentRevisions('risk')).toEqual([second, first]);
    expect(third.revision).toBe(3);
  });

  it('keeps that a deployment is unloaded until the next write', async () => {
    const row = { name: 'risk', settings, targets: [{ version: '1', weight: 1 }] };
    await at.state.putDeployment({ ...row, unloaded: true }, 0);
    expect(await at.state.deployment('risk')).toMatchObject({ ...row, unloaded: true });
    await at.state.putDeployment(row, 1);
    expect((await at.state.deployment('risk'))?.unloaded).toBeUndefined();
  });

  it('keeps the rollout of a deployment until a write without one', async () => {
    const targets = [{ version: '1', weight: 1 }];
    const row = { name: 'risk', settings, targets };
    const rollout: RolloutRecord = {
      id: 'r1',
      to: '2',
      from: targets,
      plan: RolloutPlan.parse({ strategy: 'canary', tolerance: 0.5 }),
      settings,
      phase: 'shifting',
      step: 1,
      reason: 'version 2 takes 25 % of the traffic',
      startedAt: '2030-01-01T00:00:00.000Z',
    };
    await at.state.putDeployment({ ...row, rollout }, 0);
    expect(await at.state.deployment('risk')).toMatchObject({ ...row, rollout });
    await at.state.putDeployment(row, 1);
    expect((await at.state.deployment('risk'))?.rollout).toBeUndefined();
    expect((await at.state.deploymentRevisions('risk'))[0]?.rollout).toEqual(rollout);
  });

  it('refuses a write with a stale revision and changes nothing', async () => {
    const row = { name: 'risk', settings, targets: [{ version: '1', weight: 1 }] };
    const first = await at.state.putDeployment(row, 0);
    await expect(at.state.putDeployment({ ...row, targets: [] }, 0)).rejects.toEqual(
      code('ROLLOUT_IN_PROGRESS'),
    );
    await expect(at.state.putDeployment({ ...row, targets: [] }, 7)).rejects.toEqual(
      code('ROLLOUT_IN_PROGRESS'),
    );
    await expect(at.state.putDeployment({ ...row, name: 'new' }, 1)).rejects.toEqual(
      code('ROLLOUT_IN_PROGRESS'),
    );
    expect(await at.state.deployments()).toEqual([first]);
  });

  it('does not let a writer from before a removal change a new deployment of the same name', async () => {
    const row = { name: 'risk', settings, targets: [{ version: '1', weight: 1 }] };
    const before = await at.state.putDeployment(row, 0);
    await at.state.removeDeployment('risk');
    expect(await at.state.deployment('risk')).toBeUndefined();
    expect(await at.state.deploymentRevisions('risk')).toEqual([]);
    const after = await at.state.putDeployment(row, 0);
    expect(after.revision).toBeGreaterThan(before.revision);
    await expect(at.state.putDeployment(row, before.revision)).rejects.toEqual(
      code('ROLLOUT_IN_PROGRESS'),
    );
    expect(await at.state.deploymentRevisions('risk')).toEqual([]);
    await at.state.removeDeployment('never-there');
  });

  it('agrees with a plain map of revisions for any order of writes', async () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b'),
      action: fc.constantFrom('put', 'stale', 'remove'),
      weight: fc.integer({ min: 0, max: 9 }),
    });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        round += 1;
        const model = new Map<string, DeploymentRecord[]>();
        for (const { name: base, action, weight } of steps) {
          const name = `${base}-${round}`;
          const rows = model.get(name) ?? [];
          const targets = [{ version: '1', weight }];
          if (action === 'remove') {
            await at.state.removeDeployment(name);
            model.delete(name);
          } else {
            const expected = (rows.at(-1)?.revision ?? 0) + (action === 'stale' ? 1 : 0);
            const put = at.state.putDeployment({ name, settings, targets }, expected);
            if (action === 'stale') await expect(put).rejects.toEqual(code('ROLLOUT_IN_PROGRESS'));
            else model.set(name, [...rows, await put]);
          }
          const now = model.get(name) ?? [];
          expect(await at.state.deployment(name)).toEqual(now.at(-1));
          expect(await at.state.deploymentRevisions(name)).toEqual(now.slice(0, -1).reverse());
        }
      }),
      { numRuns: 30 },
    );
  });

  it('bounds the earlier rows of a deployment', async () => {
    const row = { name: 'risk', settings, targets: [{ version: '1', weight: 1 }] };
    for (let revision = 0; revision < RETENTION.deploymentRevisions + 5; revision += 1) {
      await at.state.putDeployment(row, revision);
    }
    const earlier = await at.state.deploymentRevisions('risk');
    expect(earlier).toHaveLength(RETENTION.deploymentRevisions);
    expect(earlier[0]?.revision).toBe(RETENTION.deploymentRevisions + 4);
  });

  it('lists history newest first, by deployment and kind', async () => {
    const entry = { reason: 'load', details: { from: 1, to: { deep: [2] } }, actor: 'skein' };
    const a = await at.state.addHistory({ ...entry, deployment: 'a', kind: 'scaled' });
    const b = await at.state.addHistory({ ...entry, deployment: 'b', kind: 'scaled' });
    const c = await at.state.addHistory({ ...entry, deployment: 'a', kind: 'deployed' });
    expect(a).toMatchObject({ ...entry, deployment: 'a', kind: 'scaled' });
    expect(await at.state.history({ limit: 10 })).toEqual([c, b, a]);
    expect(await at.state.history({ limit: 2 })).toEqual([c, b]);
    expect(await at.state.history({ limit: 2, before: b.id })).toEqual([a]);
    expect(await at.state.history({ limit: 2, before: a.id })).toEqual([]);
    expect(await at.state.history({ deployment: 'a', limit: 2, before: c.id })).toEqual([a]);
    expect(
      await at.state.history({ deployment: 'a', kind: 'scaled', limit: 2, before: a.id }),
    ).toEqual([]);
    expect(await at.state.history({ deployment: 'a', limit: 10 })).toEqual([c, a]);
    expect(await at.state.history({ kind: 'scaled', limit: 10 })).toEqual([b, a]);
    expect(await at.state.history({ deployment: 'a', kind: 'scaled', limit: 10 })).toEqual([a]);
  });

  it('lists the entries after a given one, oldest first, in steps', async () => {
    const entry = { reason: 'load', details: {}, actor: 'skein', deployment: 'a' };
    const entries = [];
    for (let count = 0; count < 5; count += 1) {
      entries.push(await at.state.addHistory({ ...entry, kind: 'deployed' }));
    }
    const [first, second, third] = entries;
    expect(await at.state.historyAfter(first!.id, 2)).toEqual([second, third]);
    expect(await at.state.historyAfter(third!.id, 10)).toEqual(entries.slice(3));
    expect(await at.state.historyAfter(entries.at(-1)!.id, 10)).toEqual([]);
  });

  it('bounds history per kind, so that scaling entries do not displace changes by operators', async () => {
    const entry = { reason: '', details: {}, actor: 'skein' };
    await at.state.addHistory({ ...entry, deployment: 'a', kind: 'deployed' });
    for (let count = 0; count < RETENTION.historyPerKind + 3; count += 1) {
      await at.state.addHistory({
        ...entry,
        deployment: 'a',
        kind: 'scaled',
        reason: String(count),
      });
    }
    const scaled = await at.state.history({ deployment: 'a', kind: 'scaled', limit: 5000 });
    expect(scaled).toHaveLength(RETENTION.historyPerKind);
    expect(scaled.at(-1)?.reason).toBe('3');
    expect(await at.state.history({ deployment: 'a', kind: 'deployed', limit: 5 })).toHaveLength(1);
  });

  it('keeps keys, and the time of their first revocation', async () => {
    await at.state.addKey(key);
    const bare: KeyRecord = {
      id: 'k0',
      secretHash: 'cd',
      label: '',
      tenant: 't',
      scopes: ['admin'],
      createdAt: key.createdAt,
    };
    await at.state.addKey(bare);
    expect(await at.state.keys()).toEqual([key, bare]);
    expect(await at.state.revokeKey('k1', '2026-02-02T00:00:00.000Z')).toBe(true);
    expect(await at.state.revokeKey('k1', '2026-03-03T00:00:00.000Z')).toBe(true);
    expect(await at.state.revokeKey('k9', '2026-03-03T00:00:00.000Z')).toBe(false);
    expect(await at.state.keys()).toEqual([
      { ...key, revokedAt: '2026-02-02T00:00:00.000Z' },
      bare,
    ]);
    await expect(at.state.addKey(bare)).rejects.toBeInstanceOf(Error);
    await at.state.removeKeys(['k1', 'k9']);
    await at.state.removeKeys([]);
    expect(await at.state.keys()).toEqual([bare]);
    await at.state.addKey(key);
    expect(await at.state.keys()).toEqual([bare, key]);
  });

  it('lists the audit trail newest first', async () => {
    const entry = { actor: 'k1', action: 'deploy', outcome: 'ok', remote: '127.0.0.1' };
    await at.state.addAudit({ ...entry, subject: 'a' });
    await at.state.addAudit({ ...entry, subject: 'b' });
    const trail = await at.state.audit(10);
    expect(trail.map((each) => each.subject)).toEqual(['b', 'a']);
    expect(trail[0]).toMatchObject(entry);
    expect(await at.state.audit(1)).toEqual(trail.slice(0, 1));
    expect(await at.state.audit(1, trail[0]!.id)).toEqual(trail.slice(1, 2));
    expect(await at.state.audit(9, trail.at(-1)!.id)).toEqual([]);
    expect(await at.state.audit(9, trail[0]!.id + 5)).toEqual(trail);
  });

  it('has all records after it was closed and reopened', async () => {
    await at.state.addVersion(modelVersion('a', 1));
    await at.state.putDeployment(
      { name: 'a', settings, targets: [{ version: '1', weight: 1 }] },
      0,
    );
    await at.state.addHistory({
      deployment: 'a',
      kind: 'deployed',
      reason: 'new',
      details: {},
      actor: 'x',
    });
    await at.state.addKey(key);
    await at.state.addAudit({ actor: 'x', action: 'a', subject: 's', outcome: 'ok', remote: '' });
    const all = async () => [
      await at.state.versions(),
      await at.state.deployments(),
      await at.state.history({ limit: 9 }),
      await at.state.keys(),
      await at.state.audit(9),
    ];
    const before = await all();
    await at.reopen();
    expect(await all()).toEqual(before);
  });
});
