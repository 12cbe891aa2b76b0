/** The thread of one attempt of a task: loads its module, checks input and output, runs it; or names its tasks. */
import { SkeinError } from '@skein/api/errors';
import { serve } from '@skein/calls/serve';
import { z } from 'zod';
import { loadTask, tasksOf } from './load-task.ts';
import type { SupervisorCalls, TaskEnd, TaskThreadData } from './messages.ts';
import { createTaskContext } from './task-context.ts';

const MAX_OUTPUT_CHARACTERS = 2 ** 20;

const stopping = new AbortController();

/** A mistake that the same input would repeat. */
class Wrong extends Error {}

async function outputOf(data: TaskThreadData): Promise<string> {
  const task = await loadTask(data.modulePath, data.task);
  const input = check(task.input, data.input, `The input of task "${task.name}"`);
  const context = createTaskContext(data, supervisor, stopping.signal);
  const returned: unknown = await task.run(input, context);
  const output = check(task.output, returned, `What task "${task.name}" returned`);
  const json = JSON.stringify(output ?? null);
  if (json.length > MAX_OUTPUT_CHARACTERS) {
    throw new Wrong(
      `Task "${task.name}" returned ${json.length} characters of JSON, more than ${MAX_OUTPUT_CHARACTERS}; put it into an artifact.`,
    );
  }
  return json;
}

function check(schema: z.ZodType, value: unknown, what: string): unknown {
  const { success, data: parsed, error } = schema.safeParse(value);
  if (success) return parsed;
  throw new Wrong(`${what} does not fit its schema: ${z.prettifyError(error)}`);
}

function isFinal(thrown: unknown): boolean {
  return thrown instanceof Wrong || (thrown instanceof SkeinError && thrown.row.kind === 'user');
}

/** The last output must not be lost when the thread ends. */
function written(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

/** Node 22 has no such account. */
function spentMs(): number | undefined {
  const { threadCpuUsage } = process as Partial<Pick<NodeJS.Process, 'threadCpuUsage'>>;
  if (threadCpuUsage === undefined) return undefined;
  const { user, system } = threadCpuUsage();
  return (user + system) / 1000;
}

const calls = {
  names: async (modulePath: string) => (await tasksOf(modulePath)).map(({ name }) => name),
  async run(data: TaskThreadData): Promise<TaskEnd> {
    try {
      const json = await outputOf(data);
      return { kind: 'done', json, cpuMs: spentMs() };
    } catch (thrown) {
      const stopped = stopping.signal.aborted;
      // The stack goes to the log; the message is what lists show.
      if (thrown instanceof Error && !isFinal(thrown) && !stopped) {
        process.stderr.write(`${thrown.stack}\n`);
      }
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      return { kind: 'failed', message, retryable: !isFinal(thrown), stopped, cpuMs: spentMs() };
    } finally {
      await Promise.all([written(process.stdout), written(process.stderr)]);
    }
  },
  stop(): void {
    stopping.abort(new Error('The worker asks the task to save a checkpoint and stop.'));
  },
};
export type TaskCalls = typeof calls;
const supervisor = serve<SupervisorCalls>(calls, [SkeinError]);
