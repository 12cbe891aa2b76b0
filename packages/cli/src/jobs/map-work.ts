/** The work of `skein map`: a statement, a function, a task, or a command with its files. */
import { defined } from '@skein/api/defined';
import { resolve } from 'node:path';
import type { Client } from '@skein/api/client';
import type { Context } from '../command-line/command.ts';
import { givenText } from '../file.ts';
import { usageError } from '../command-line/usage.ts';
import { findInputs, uploadInputs } from './inputs.ts';
import { functionWork, type FunctionChoice } from './map-function.ts';

/** @returns undefined when shards are passed on unchanged. */
export async function workOf(
  context: Context,
  client: Client,
  command: readonly string[] | undefined,
  options: FunctionChoice & {
    readonly function: string | undefined;
    readonly task: string | undefined;
    readonly module: string | undefined;
  },
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { sql, task, module, image, trusted, network } = options;
  if (options.function !== undefined) {
    return functionWork(context, client, options.function, options);
  }
  if (sql !== undefined) return { kind: 'sql', sql: await givenText(context.cwd, sql) };
  if (task !== undefined) {
    return {
      kind: 'task',
      task,
      ...(module === undefined ? {} : { module: resolve(context.cwd, module) }),
    };
  }
  if (command === undefined) return undefined;
  if (
    !command.some((word) => word.includes('{in}')) ||
    !command.some((word) => word.includes('{out}'))
  ) {
    throw usageError('The command needs {in} and {out}, which stand for the files of a shard.');
  }
  const files = await findInputs(context, options.input, command, { without: [] });
  const inputs = await uploadInputs(context, client, files);
  return { kind: 'command', argv: command, inputs, trusted, network, ...defined({ image }) };
}
