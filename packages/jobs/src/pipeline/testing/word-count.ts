/** Counts words: a list is split, its parts are counted side by side, the counts are added up. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { defineTask } from '../../tasks/define-task.ts';
import { command, definePipeline, run } from '../define-pipeline.ts';
import type { Handle } from '../handle.ts';

export const split = defineTask({
  name: 'split',
  input: z.object({ text: z.string(), parts: z.int() }),
  output: z.object({ shards: z.array(z.object({ words: z.string() })) }),
  run({ text, parts }) {
    const words = text.split(' ');
    const size = Math.ceil(words.length / parts);
    const shards = Array.from({ length: parts }, (_, i) => ({
      words: words.slice(i * size, (i + 1) * size).join(' '),
    }));
    return { shards: shards.filter((shard) => shard.words !== '') };
  },
});

export const count = defineTask({
  name: 'count',
  input: z.object({ words: z.string(), failWithout: z.string().nullable() }),
  output: z.object({ words: z.int() }),
  async run({ words, failWithout }, context) {
    context.log(`counting ${words}`);
    if (failWithout !== null && words.includes('poison') && !existsSync(failWithout)) {
      throw new Error('a poisoned word');
    }
    return { words: words.split(' ').length };
  },
});

export const sum = defineTask({
  name: 'sum',
  input: z.object({ counts: z.array(z.object({ words: z.int() })) }),
  output: z.int(),
  run: ({ counts }) => counts.reduce((total, each) => total + each.words, 0),
});

export const length = defineTask({
  name: 'length',
  input: z.object({ counts: z.array(z.unknown()) }),
  output: z.int(),
  run: ({ counts }) => counts.length,
});

export const wordCount = definePipeline({
  name: 'word-count',
  module: import.meta.filename,
  input: z.object({ text: z.string(), failWithout: z.string().nullable().default(null) }),
  output: z.object({ total: z.int(), parts: z.int() }),
  steps({ input, step, each }) {
    const parts = step('split', run(split, { text: input.text, parts: 3 }));
    const counts = each(
      'count',
      parts.shards,
      (shard) => run(count, { words: shard.words, failWithout: input.failWithout }),
      { attempts: 1, resources: { cores: 0.1, memoryBytes: 64 * 2 ** 20 } },
    );
    const total = step('sum', run(sum, { counts }));
    const parted = step('length', run(length, { counts }));
    return { total, parts: parted };
  },
});

export const perhaps = defineTask({
  name: 'perhaps',
  input: z.object({}),
  output: z.object({ parts: z.array(z.object({ words: z.string() })).optional() }),
  run: () => ({}),
});

/** A step that waits for a worker, next to one that gets a list which another step left out. */
export const listless = definePipeline({
  name: 'listless',
  module: import.meta.filename,
  input: z.object({}),
  output: z.object({ counts: z.array(z.object({ words: z.int() })) }),
  steps({ step, each }) {
    step('waits', run(perhaps, {}), { requires: ['nowhere'] });
    const { parts } = step('perhaps', run(perhaps, {}));
    const list = parts as unknown as Handle<{ words: string }[]>;
    return { counts: each('count', list, ({ words }) => run(count, { words, failWithout: null })) };
  },
});

/** A command with its inputs and outputs. */
export const shout = definePipeline({
  name: 'shout',
  module: import.meta.filename,
  input: z.object({ digest: z.string() }),
  output: z.string(),
  steps({ input, step }) {
    const loud = step(
      'loud',
      command({
        argv: ['sh', '-c', 'tr a-z A-Z < in.txt > out.txt'],
        inputs: { 'in.txt': input.digest },
        outputs: ['out.txt'],
        trusted: true,
      }),
    );
    return loud['out.txt'];
  },
});
