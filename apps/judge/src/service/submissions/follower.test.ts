/** How judgings get their jobs. */
import { join } from 'node:path';
import { openJobStore } from '@skein/jobs';
import { openArtifacts } from '@skein/state';
import { expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { loadProblem } from '../../package/load-problem.ts';
import { MINIMAL, packageFolder } from '../../testing/package-folder.ts';
import { openAccounts } from '../accounts/accounts.ts';
import { openTimeLimits } from '../problems/time-limits.ts';
import { openJudgeDatabase } from '../schema.ts';
import { startFollower } from './follower.ts';
import { createLive } from './live.ts';
import { openSubmissions } from './submissions.ts';

const [OLD, NEW] = ['a'.repeat(64), 'b'.repeat(64)];

it('judges by one package alone when it was replaced before the judging was queued', async () => {
  const folder = testFolder();
  const database = openJudgeDatabase(join(folder, 'judge.db'));
  const store = await openJobStore(join(folder, 'jobs.db'));
  const artifacts = await openArtifacts(join(folder, 'blobs'), join(folder, 'cache'));
  openAccounts(database, Date.now).add('ada', false);
  const submissions = openSubmissions(database, Date.now);
  const id = submissions.add({
    user: 'ada',
    problem: 'echo',
    language: 'python3',
    entryPoint: undefined,
    source: 'c'.repeat(64),
    sourceBytes: 1,
    package: OLD,
  });
  const slower = MINIMAL['problem.yaml']?.replace('time_limit: 1', 'time_limit: 7');
  const problem = await loadProblem(packageFolder({ 'problem.yaml': slower }));
  const published = {
    problem,
    digest: NEW,
    publicFiles: new Set<string>(),
    statements: new Map(),
    samples: [],
  };
  const follower = startFollower({
    catalog: { problems: new Map([['echo', published]]), broken: [] },
    submissions,
    timeLimits: openTimeLimits(database, store),
    artifacts,
    live: createLive(),
    store,
    service: 's',
    log: () => {},
  });
  onTestFinished(async () => {
    await follower.close();
    await artifacts.close();
    await store.close();
    database.close();
  });

  await expect.poll(() => submissions.find(id)?.job).toBeDefined();
  const row = submissions.find(id)!;
  expect(row.package).toBe(NEW);
  expect((await store.job(row.job!))?.work).toMatchObject({
    input: { package: { digest: NEW }, timeMs: 7000 },
  });
});
