/**
 * The task that runs a TypeScript function over the batches of a piece of rows, in a thread of its own with a bounded
 * heap. One batch is in memory at a time; its rows are written before the next one is read.
 */
import { SkeinError } from '@skein/api/errors';
import { importUserModule } from '@skein/api/user-modules';
import { Piece } from '@skein/data/data-set';
import { z } from 'zod';
import { defineTask } from '../../tasks/define-task.ts';
import type { BatchFunction } from './batch-function.ts';
import { builtInFunction } from './built-in/built-in.ts';
import { batchesOf, linesBefore } from './json-lines.ts';
import { linesOf, type Schema } from './result-rows.ts';
import { FUNCTION_TASK } from './task-name.ts';

export const functionTask = defineTask({
  name: FUNCTION_TASK,
  input: z.object({
    digest: z.string(),
    from: z.int(),
    to: z.int(),
    /** Absolute path of the module; absent for a function of Skein. */
    module: z.string().optional(),
    name: z.string().optional(),
    options: z.record(z.string(), z.string()),
  }),
  output: Piece,
  async run({ digest, from, to, module, name, options }, { artifacts, signal, progress }) {
    const call =
      module === undefined ? await builtInFunction(name ?? '') : await functionOf(module, name);
    const path = await artifacts.pathOf(digest);
    async function* lines(): AsyncGenerator<Uint8Array> {
      let schema: Schema | undefined;
      for await (const { columns, before, rows } of batchesOf(path, { from, to })) {
        signal.throwIfAborted();
        try {
          const written = linesOf(await call(columns, options), schema);
          schema = written.schema;
          yield Buffer.from(written.text);
        } catch (error) {
          throw await failure(error, before, rows);
        }
        progress(0);
      }
    }
    async function failure(error: unknown, before: number, rows: number): Promise<Error> {
      const first = (await linesBefore(path, from)) + before + 1;
      const where = `The function ${name ?? module} failed at rows ${first} to ${first + rows - 1}`;
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof SkeinError) {
        return new SkeinError(error.code, `${where}: ${reason}`, { cause: error });
      }
      // The log has the place in the function; the message is what lists show.
      if (error instanceof Error) console.error(error.stack);
      return new Error(`${where}: ${reason}`, { cause: error });
    }
    return artifacts.put(lines());
  },
});

/** @throws SkeinError FUNCTION_INVALID. */
async function functionOf(path: string, name: string | undefined): Promise<BatchFunction> {
  const exported = await importUserModule(path, import.meta.url);
  const names = Object.keys(exported).filter((each) => typeof exported[each] === 'function');
  const chosen = name ?? (names.length === 1 ? names[0]! : 'default');
  if (names.includes(chosen)) return exported[chosen] as BatchFunction;
  const there = names.length === 0 ? 'no function' : names.join(', ');
  throw new SkeinError(
    'FUNCTION_INVALID',
    `${path} exports no function "${chosen}"; it exports ${there}`,
  );
}
