import { SkeinError, type NewJobInput } from '@skein/api';
import { expect, it, vi } from 'vitest';
import { enqueueAfter } from './enqueue-after.ts';
import type { TaskJobs } from './task-jobs.ts';

const job: NewJobInput = {
  work: { kind: 'command', argv: ['true'] },
  resources: { cores: 1, memoryBytes: 2 ** 20 },
};
const enqueue = vi.fn<TaskJobs['enqueue']>(async () => []);

it.each<[string, number, string[], readonly string[] | undefined]>([
  ['has the parents that it is given', 2, ['a', 'b'], ['a', 'b']],
  ['has none where there are none', 2, [], undefined],
  ['has none where jobs and parents are many', 100, Array<string>(21).fill('a'), undefined],
])('a job %s', async (_, count, parents, expected) => {
  enqueue.mockClear();
  await enqueueAfter(
    { enqueue },
    Array.from({ length: count }, () => job),
    parents,
  );
  expect(enqueue.mock.lastCall?.[0]).toHaveLength(count);
  expect(enqueue.mock.lastCall?.[0][0]?.parents).toEqual(expected);
});

it('starts without parents that are no longer kept, and is refused for all other reasons', async () => {
  enqueue.mockRejectedValueOnce(new SkeinError('PARENT_UNKNOWN', 'gone'));
  await enqueueAfter({ enqueue }, [job], ['gone']);
  expect(enqueue).toHaveBeenLastCalledWith([job]);
  enqueue.mockRejectedValueOnce(new SkeinError('QUEUE_DRAINING', 'draining'));
  await expect(enqueueAfter({ enqueue }, [job], ['a'])).rejects.toThrow('draining');
});
