/** The thread of one attempt of a task: loads its module, checks input and output, runs it. */
import { parentPort, workerData } from 'node:worker_threads';
import { SkeinError } from '@skein/api/errors';
import { z } from 'zod';
import { loadTask } from './load-task.ts';
import {
  fromWireFailure,
  type FromThread,
  type TaskAnswer,
  type TaskThreadData,
  type ToThread,
} from './messages.ts';
import { createTaskContext } from './task-context.ts';

const MAX_OUTPUT_CHARACTERS = 2 ** 20;

const port = parentPort!;
const data = workerData as TaskThreadData;
const stopping = new AbortController();
const waiting = new Map<number, PromiseWithResolvers<TaskAnswer>>();
let lastId = 0;

const post = (message: FromThread): void => port.postMessage(message);

/** A mistake that the same input would repeat. */
class Wrong extends Error {}

port.on('message', (message: ToThread) => {
  if (message.kind === 'stop') {
    stopping.abort(new Error('The worker asks the task to save a checkpoint and stop.'));
    return;
  }
  const asked = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.kind === 'answer') asked?.resolve(message.value);
  else asked?.reject(fromWireFailure(message.failure));
});

const context = createTaskContext(
  data,
  {
    ask(request) {
      const asked = Promise.withResolvers<TaskAnswer>();
      waiting.set(++lastId, asked);
      post({ kind: 'request', id: lastId, request });
      return asked.promise;
    },
    progress: (fraction, message) => post({ kind: 'progress', fraction, message }),
  },
  stopping.signal,
);

async function run(): Promise<string> {
  const task = await loadTask(data.modulePath, data.task);
  const input = check(task.input, data.input, `The input of task "${task.name}"`);
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

try {
  const json = await run();
  post({ kind: 'done', json });
} catch (thrown) {
  const stopped = stopping.signal.aborted;
  // The stack goes to the log; the message is what lists show.
  if (thrown instanceof Error && !isFinal(thrown) && !stopped) {
    process.stderr.write(`${thrown.stack}\n`);
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  post({ kind: 'failed', message, retryable: !isFinal(thrown), stopped });
}
await Promise.all([written(process.stdout), written(process.stderr)]);
// Work that the task left running ends with the thread.
process.exit(0);
