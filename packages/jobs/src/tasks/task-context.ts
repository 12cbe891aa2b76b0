/** A task's context, in its thread: small values are messages, content goes through files. */
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TaskContext } from './define-task.ts';
import type { Calls } from '@skein/calls/serve';
import type { Stored, SupervisorCalls, TaskRequest, TaskThreadData } from './messages.ts';
import type { TaskJob } from './task-jobs.ts';

export function createTaskContext(
  data: TaskThreadData,
  supervisor: Calls<SupervisorCalls>,
  signal: AbortSignal,
): TaskContext {
  let files = 0;
  let saved = data.checkpoint;
  const ask = (request: TaskRequest) => supervisor.call('ask', request);

  /** Content goes through the disk, so that a large one fills neither a queue nor the heap. */
  async function throughFile<T>(
    content: Uint8Array | AsyncIterable<Uint8Array>,
    use: (file: string) => Promise<T>,
  ): Promise<T> {
    const file = join(data.folder, `content-${++files}`);
    try {
      const source = content instanceof Uint8Array ? [content] : content;
      await pipeline(Readable.from(source, { objectMode: false }), createWriteStream(file));
      return await use(file);
    } finally {
      await unlink(file).catch(() => undefined);
    }
  }

  const pathOf = async (digest: string): Promise<string> =>
    (await ask({ ask: 'path', digest })) as string;

  return {
    job: data.job,
    attempt: data.attempt,
    signal,
    folder: data.folder,
    progress(fraction, message = '') {
      void supervisor.call('progress', { fraction, message }).catch(() => undefined);
    },
    log: (line) => void process.stdout.write(`${line}\n`),
    artifacts: {
      pathOf,
      async *read(digest) {
        yield* createReadStream(await pathOf(digest)) as AsyncIterable<Uint8Array>;
      },
      put: (content, path) =>
        throughFile(content, async (file) => (await ask({ ask: 'put', file, path })) as Stored),
    },
    jobs: {
      enqueue: async (jobs) => (await ask({ ask: 'enqueue', jobs })) as readonly TaskJob[],
      waitForAny: async (ids) => (await ask({ ask: 'wait', ids })) as readonly TaskJob[],
      revive: async (ids) => void (await ask({ ask: 'revive', ids })),
      cancel: async (ids, reason) => void (await ask({ ask: 'cancel', ids, reason })),
    },
    checkpoint: {
      async load() {
        return saved === undefined ? undefined : readFile(await pathOf(saved));
      },
      async save(content) {
        saved = await throughFile(
          content,
          async (file) => (await ask({ ask: 'checkpoint', file })) as string,
        );
      },
    },
  };
}
