import { join } from 'node:path';
import { openJobStore } from '@skein/jobs';
import { expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { loadProblem } from '../../package/load-problem.ts';
import { MINIMAL, packageFolder } from '../../testing/package-folder.ts';
import { openJudgeDatabase } from '../schema.ts';
import { openTimeLimits } from './time-limits.ts';

it('measures a limit again at the next start when it could not be measured', async () => {
  const folder = testFolder();
  const database = openJudgeDatabase(join(folder, 'judge.db'));
  const store = await openJobStore(join(folder, 'jobs.db'));
  onTestFinished(async () => {
    database.close();
    await store.close();
  });
  const digest = 'd'.repeat(64);
  database.write('power-cut', () =>
    database.prepare('INSERT INTO packages (digest, short_name) VALUES (?, ?)').run(digest, 'echo'),
  );
  const untimed = MINIMAL['problem.yaml']?.replace('  time_limit: 1\n', '');
  const problem = await loadProblem(packageFolder({ 'problem.yaml': untimed }));
  const published = {
    problem,
    digest,
    publicFiles: new Set<string>(),
    statements: new Map(),
    samples: [],
  };
  const select = database.prepare('SELECT time_job FROM packages');
  const measuring = () => database.read(() => select.get())?.['time_job'] as string;
  const notReady = expect.objectContaining({ code: 'PROBLEM_NOT_READY' });

  const first = openTimeLimits(database, store);
  await first.look([published]);
  const failed = measuring();
  await store.cancel(failed, '');
  await first.look([published]);
  expect(() => first.of(published)).toThrow(expect.objectContaining({ code: 'PROBLEM_LIMITS' }));
  await first.look([published]);
  expect(measuring()).toBe(failed);

  const second = openTimeLimits(database, store);
  expect(() => second.of(published)).toThrow(notReady);
  await second.look([published]);
  await second.look([published]);
  expect(() => second.of(published)).toThrow(notReady);
  expect(await store.job(measuring())).toMatchObject({ state: 'ready' });
});
