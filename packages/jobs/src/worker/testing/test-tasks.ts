/** Tasks for tests: each does one thing that a worker must cope with. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { SkeinError } from '@skein/api/errors';
import { defineTask } from '../../tasks/define-task.ts';

const nothing = z.unknown();

export const add = defineTask({
  name: 'add',
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
  run: ({ a, b }) => ({ sum: a + b }),
});

/** Blocks its thread for ever; only ending the thread ends it. */
export const loops = defineTask({
  name: 'loops',
  input: nothing,
  output: nothing,
  run(_, context) {
    context.progress(0.5, 'looping');
    for (;;);
  },
});

export const waits = defineTask({
  name: 'waits',
  input: nothing,
  output: nothing,
  async run(_, context) {
    context.progress(0.1, 'waiting');
    await new Promise((_, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
      setInterval(() => undefined, 1000);
    });
  },
});

export const hog = defineTask({
  name: 'hog',
  input: nothing,
  output: nothing,
  run() {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => index * 1.5));
  },
});

export const fails = defineTask({
  name: 'fails',
  input: z.object({ how: z.enum(['throw', 'refuse', 'exit', 'wrong-output', 'reject-later']) }),
  output: z.object({ fine: z.literal(true) }),
  async run({ how }) {
    if (how === 'throw') throw new RangeError('out of cheese');
    if (how === 'refuse') throw new SkeinError('REQUEST_INVALID', 'Ask for something else.');
    if (how === 'exit') process.exit(7);
    if (how === 'reject-later') {
      void Promise.reject(new Error('this rejection has no handler'));
      await new Promise((resolve) => {
        setTimeout(resolve, 10_000);
      });
    }
    return { fine: false } as never;
  },
});

/** Counts to `to`, one step per attempt; every attempt but the last asks to be stopped. */
export const counts = defineTask({
  name: 'counts',
  input: z.object({ to: z.number() }),
  output: z.object({ counted: z.number(), attempt: z.number() }),
  async run({ to }, context) {
    const before = await context.checkpoint.load();
    const counted = Number(before === undefined ? 0 : Buffer.from(before).toString()) + 1;
    await context.checkpoint.save(Buffer.from(String(counted)));
    if (counted === to) return { counted, attempt: context.attempt };
    context.progress(counted / to, `counted ${counted}`);
    await new Promise((_, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
    });
    throw new Error('unreachable');
  },
});

export const copies = defineTask({
  name: 'copies',
  input: z.object({ digest: z.string() }),
  output: z.object({ sha256: z.string(), digest: z.string() }),
  async run({ digest }, { artifacts, log }) {
    const hash = createHash('sha256');
    async function* hashed(): AsyncGenerator<Uint8Array> {
      for await (const chunk of artifacts.read(digest)) {
        hash.update(chunk);
        yield chunk;
      }
    }
    const stored = await artifacts.put(hashed(), 'copy.bin');
    await artifacts.put(Buffer.from('not listed'));
    log(`copied ${stored.sizeBytes} bytes`);
    return { sha256: hash.digest('hex'), digest: stored.digest };
  },
});

export const talks = defineTask({
  name: 'talks',
  input: z.object({ lines: z.number() }),
  output: nothing,
  async run({ lines }) {
    const line = 'x'.repeat(99);
    for (let written = 0; written < lines; written++) {
      if (!process.stdout.write(`${line}\n`)) {
        await new Promise((resolve) => {
          process.stdout.once('drain', resolve);
        });
      }
    }
    console.error('the end');
  },
});
