import { mkdtemp, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { APPLICATION_ID } from '../../../state/sqlite/database.ts';
import { claimOne, job, success } from '../testing/fixtures.ts';
import { MIGRATIONS } from './migrations.ts';
import { openSqliteJobs } from './sqlite-jobs.ts';

it('opens a file of the first schema: its jobs are there, and go on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-jobs-'));
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
  old.close();

  const store = await openSqliteJobs(path);
  try {
    expect(await store.job('broke')).toMatchObject({ ...spec, state: 'failed' });
    expect((await store.jobs({ queue: 'q', state: 'failed', limit: 9 })).jobs).toHaveLength(1);
    const claim = await claimOne(store);
    expect(claim.job).toMatchObject({ ...spec, id: 'waits' });
    await store.finish(claim.token, success());
    expect(await store.job('waits')).toMatchObject({ state: 'succeeded' });
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
});
