/** The jobs of a map: which of them a conductor that starts anew finds again. */
import { expect, it } from 'vitest';
import { builtinJob, type JobFrame } from './stage-jobs.ts';
import { statement } from './statement-tasks.ts';

const FRAME: JobFrame = {
  resources: { cores: 1, memoryBytes: 2 ** 30 },
  attempts: 3,
  requires: [],
};

async function keyOf(partitions: number, frame: JobFrame = FRAME): Promise<string | undefined> {
  const by = { keys: ['id'], partitions };
  const input = { tables: {}, sql: 'FROM data', format: 'parquet', by };
  return (await builtinJob(frame, ['shuffle', 0, 3], statement, input)).idempotencyKey;
}

it('has one key for one job, and another where a worker that is lost changes the plan', async () => {
  const key = await keyOf(4);
  expect(await keyOf(4)).toBe(key);
  expect(await keyOf(2)).not.toBe(key);
  const resources = { ...FRAME.resources, cores: 2 };
  expect(await keyOf(4, { ...FRAME, resources })).not.toBe(key);
});
