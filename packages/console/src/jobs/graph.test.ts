import { expect, it } from 'vitest';
import { columnsOf } from './graph.tsx';

it('puts a job behind the last of its parents, and ignores parents of other groups', () => {
  const jobs = [
    { id: 'report', parents: ['clean', 'check', 'elsewhere'] },
    { id: 'clean', parents: ['load'] },
    { id: 'check', parents: ['clean'] },
    { id: 'load', parents: [] },
  ];
  expect(Object.fromEntries(columnsOf(jobs))).toEqual({ load: 0, clean: 1, check: 2, report: 3 });
});

it('ends also where parents go round in a circle', () => {
  const circle = [
    { id: 'a', parents: ['b'] },
    { id: 'b', parents: ['a'] },
  ];
  expect([...columnsOf(circle).keys()].sort()).toEqual(['a', 'b']);
});
