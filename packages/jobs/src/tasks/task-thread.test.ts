import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { startTaskThread } from './task-thread.ts';

const MODULE = join(import.meta.dirname, 'testing/descriptor-task.ts');

it('closes no descriptor that is another thread’s by now', async () => {
  const folder = testFolder();
  const pipe = join(folder, 'pipe');
  expect(spawnSync('/usr/bin/mkfifo', [pipe]).status).toBe(0);
  const closed = Promise.withResolvers<number>();
  const thread = startTaskThread({
    data: {
      modulePath: MODULE,
      task: 'gives-descriptor-away',
      input: { pipe },
      job: 'job',
      attempt: 1,
      checkpoint: undefined,
      folder,
    },
    heapMib: 64,
    serves: {
      progress: ({ message }) => closed.resolve(Number(message)),
      ask: () => Promise.reject(new Error('nothing is asked')),
    },
  });
  const number = await closed.promise;
  // The lowest free number is given next: after a while the number that the task had.
  const ours: number[] = [];
  while (ours.at(-1) !== number && ours.length < 1000) ours.push(openSync('/dev/null', 'r'));
  expect(ours.at(-1)).toBe(number);
  thread.stop();
  await thread.ended;
  for (const fd of ours) {
    expect(fstatSync(fd).isCharacterDevice()).toBe(true);
    closeSync(fd);
  }
});
