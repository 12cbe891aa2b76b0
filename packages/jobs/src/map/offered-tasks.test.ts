import { expect, it } from 'vitest';
import { tasksOf } from '../tasks/load-task.ts';
import { MAP_LABEL, MAP_TASKS } from './offered-tasks.ts';

it('the tasks that workers offer for maps are those that the modules have', async () => {
  const found: (readonly [string, string])[] = [];
  for (const path of new Set(MAP_TASKS.values())) {
    for (const { name } of await tasksOf(path)) found.push([name, path]);
  }
  expect(new Map(found)).toEqual(MAP_TASKS);
  expect(MAP_TASKS.has(MAP_LABEL.replace('task:', ''))).toBe(true);
});
