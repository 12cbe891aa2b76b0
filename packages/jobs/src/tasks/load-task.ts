/** Imports a module and finds its tasks; runs in a task's thread, never in a supervisor. */
import { importUserModule } from '@skein/api/user-modules';
import type { Task } from './define-task.ts';

/** @throws what the module throws when it is imported. */
export async function tasksOf(modulePath: string): Promise<Task[]> {
  const module = await importUserModule(modulePath, import.meta.url);
  return Object.values(module).filter(isTask);
}

/** @throws Error that names the existing tasks. */
export async function loadTask(modulePath: string, name: string): Promise<Task> {
  const tasks = await tasksOf(modulePath);
  const found = tasks.find((task) => task.name === name);
  if (found !== undefined) return found;
  const names = tasks.map((task) => `"${task.name}"`).join(', ');
  const there = names === '' ? 'no task, made with defineTask(…)' : names;
  throw new Error(`${modulePath} exports no task "${name}"; it exports ${there}.`);
}

function isTask(value: unknown): value is Task {
  return (value as Partial<Task> | null)?.kind === 'skein.task';
}
