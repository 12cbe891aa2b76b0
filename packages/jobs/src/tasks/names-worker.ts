/** A thread that tells the names of a module's tasks, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { tasksOf } from './load-task.ts';

const tasks = await tasksOf(workerData as string);
parentPort!.postMessage(
  tasks.map(({ name }) => name),
  [],
);
process.exit(0);
