import { expect, it } from 'vitest';
import { absentStarters, grouped } from './groups.ts';

it('puts the jobs of a run behind the job that started it', () => {
  const jobs = [
    { id: 'step 2', group: 'run' },
    { id: 'alone' },
    { id: 'step 1', group: 'run' },
    { id: 'run' },
  ];
  expect(absentStarters(jobs)).toEqual([]);
  expect(grouped(jobs)).toEqual([{ job: { id: 'alone' } }, { job: { id: 'run' }, group: 'run' }]);
});

it('puts a gang behind its first rank, which has no job that started it', () => {
  const gang = { id: 'gang', size: 2, rank: 0 };
  const jobs = [
    { id: 'rank 1', group: 'gang', gang: { ...gang, rank: 1 } },
    { id: 'rank 0', group: 'gang', gang },
  ];
  expect(absentStarters(jobs)).toEqual([]);
  expect(grouped(jobs)).toEqual([{ job: jobs[1], group: 'gang' }]);
});

it('shows each job once: a map within a run, the only job of a group, and one that names itself', () => {
  const jobs = [
    { id: 'shard', group: 'map' },
    { id: 'map', group: 'run' },
    { id: 'run' },
    { id: 'only', group: 'elsewhere' },
    { id: 'itself', group: 'itself' },
  ];
  expect(absentStarters(jobs)).toEqual(['elsewhere']);
  expect(grouped(jobs)).toEqual([
    { job: jobs[2], group: 'run' },
    { job: jobs[3] },
    { job: jobs[4] },
  ]);
});
