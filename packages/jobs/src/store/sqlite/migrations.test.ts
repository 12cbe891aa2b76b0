import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { APPLICATION_ID } from '@skein/state/database';
import { claimOne, job, success } from '../testing/fixtures.ts';
import { MIGRATIONS } from './migrations.ts';
import { openSqliteJobs } from './sqlite-jobs.ts';

it('opens a file of the first schema: its jobs are there, and continue', async () => {
  const folder = testFolder();
  const path = join(folder, 'jobs.db');
  const { id: _, ...spec } = job({ name: 'from before' });
  const old = new DatabaseSync(path);
  old.exec(
    `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1; ${MIGRATIONS[0] ?? ''};
     INSERT INTO lanes VALUES (7, 'q', 't', 'class', '[]', 1);
     INSERT INTO tenants (tenant, queued) VALUES ('t', 1);
     INSERT INTO counts VALUES ('q', 'ready', 1), ('q', 'failed', 1);`,
  );
  const insert = old.prepare(
    `INSERT INTO jobs (id, spec, queue, tenant, priority, millicores, memory_bytes, lane, state,
       enqueued_at, retention_ms, ready_at, ended_at, rank, waits_for, attempts, failures)
     VALUES (?, ?, 'q', 't', 0, 1000, 1048576, 7, ?, 1, 3600000, ?, ?, ?, 0, 0, 0)`,
  );
  insert.run('waits', JSON.stringify(spec), 'ready', 1, null, 1);
  insert.run('broke', JSON.stringify(spec), 'failed', null, Date.now(), null);
  const [input, stdin, output] = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
  const work = { kind: 'command', argv: ['true'], inputs: [{ path: 'x', digest: input }], stdin };
  insert.run('done', JSON.stringify({ ...spec, work }), 'succeeded', null, Date.now(), null);
  const outputs = [{ path: 'y', digest: output, sizeBytes: 10 }];
  old.prepare("UPDATE jobs SET result = ? WHERE id = 'done'").run(JSON.stringify({ outputs }));
  old.exec(
    `INSERT INTO attempts (token, job, number, worker, started_at, ended_at, lease_ms, delivered)
       SELECT 1, seq, 1, 'w', 1, 2, 1, 1 FROM jobs WHERE id = 'done';
     INSERT INTO logs VALUES (1, 0, x'0102'), (1, 2, x'03');`,
  );
  old.close();

  const store = await openSqliteJobs(path);
  try {
    expect(await store.job('broke')).toMatchObject({ ...spec, state: 'failed' });
    expect((await store.jobs({ queue: 'q', state: 'failed', limit: 9 })).jobs).toHaveLength(1);
    const claim = await claimOne(store);
    expect(claim.job).toMatchObject({ ...spec, id: 'waits' });
    await store.finish(claim.token, success());
    expect(await store.job('waits')).toMatchObject({ state: 'succeeded' });
    // Artifacts that its jobs name belong to its tenant, and so do their logs.
    expect(await store.lackedArtifacts('t', [input!, stdin!, output!])).toEqual([]);
    expect(await store.heldArtifacts()).toEqual([{ tenant: 't', bytes: 10 }]);
    expect(await store.log('done', 1, 0, 10)).toMatchObject({ size: 3 });
  } finally {
    await store.close();
    const after = new DatabaseSync(path);
    expect({ ...after.prepare('SELECT log_bytes FROM tenants').get() }).toEqual({ log_bytes: 3 });
    after.close();
  }
});
