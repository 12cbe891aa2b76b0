/** A task's context, in its thread: small values are messages, content goes through files. */
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TaskContext } from './define-task.ts';
import type { Stored, TaskAnswer, TaskRequest, TaskThreadData } from './messages.ts';
import type { TaskJob } from './task-jobs.ts';

export interface TaskPort {
  ask(request: TaskRequest): Promise<TaskAnswer>;
  progress(fraction: number, message: string): void;
}

export function createTaskContext(
  data: TaskThreadData,
  port: TaskPort,
  signal: AbortSignal,
): TaskContext {
  let files = 0;
  let saved = data.checkpoint;

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
    (await port.ask({ ask: 'path', digest })) as string;

  return {
    job: data.job,
    attempt: data.attempt,
    signal,
    folder: data.folder,
    progress: (fraction, message = '') => port.progress(fraction, message),
    log: (line) => void process.stdout.write(`${line}\n`),
    artifacts: {
      pathOf,
      async *read(digest) {
        yield* createReadStream(await pathOf(digest)) as AsyncIterable<Uint8Array>;
      },
      put: (content, path) =>
        throughFile(
          content,
          async (file) => (await port.ask({ ask: 'put', file, path })) as Stored,
        ),
    },
    jobs: {
      enqueue: async (jobs) => (await port.ask({ ask: 'enqueue', jobs })) as readonly TaskJob[],
      waitForAny: async (ids) => (await port.ask({ ask: 'wait', ids })) as readonly TaskJob[],
      revive: async (ids) => void (await port.ask({ ask: 'revive', ids })),
      cancel: async (ids, reason) => void (await port.ask({ ask: 'cancel', ids, reason })),
    },
    checkpoint: {
      async load() {
        return saved === undefined ? undefined : readFile(await pathOf(saved));
      },
      async save(content) {
        saved = await throughFile(
          content,
          async (file) => (await port.ask({ ask: 'checkpoint', file })) as string,
        );
      },
    },
  };
}
