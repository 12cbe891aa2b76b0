/** The function of `skein map --function`: a TypeScript or Python file, or a name of Skein, with its options. */
import { basename, relative, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { defined } from '@skein/api/defined';
import type { Context } from '../command-line/command.ts';
import { pairsOf, usageError } from '../command-line/usage.ts';
import { givenText } from '../file.ts';
import { findInputs, uploadInputs } from './inputs.ts';

export interface FunctionChoice {
  readonly sql: string | undefined;
  readonly with: readonly string[];
  readonly input: readonly string[];
  readonly image: string | undefined;
  readonly trusted: boolean;
  readonly network: 'none' | 'host';
}

/** Options of functions of Skein that are paths, which a worker has in another folder. */
const PATHS = ['tokenizer', 'folder'];

/** @param given `FILE.ts`, `FILE.py` or `skein:NAME`; with `#NAME`, that one of a file's functions. */
export async function functionWork(
  context: Context,
  client: Client,
  given: string,
  { sql, with: pairs, input, image, trusted, network }: FunctionChoice,
): Promise<Readonly<Record<string, unknown>>> {
  const { cwd } = context;
  const options = pairsOf('--with', 'NAME=VALUE', pairs);
  const common = {
    kind: 'function',
    ...defined({ sql: sql === undefined ? undefined : await givenText(cwd, sql) }),
  };
  const [, builtIn] = /^skein:(.+)$/.exec(given) ?? [];
  if (builtIn !== undefined) {
    for (const name of PATHS) {
      if (options[name] !== undefined) options[name] = resolve(cwd, options[name]);
    }
    return { ...common, code: { builtIn: true }, name: builtIn, options };
  }
  const [, file = '', name] = /^(.*?)(?:#([^#]*))?$/s.exec(given) ?? [];
  const path = resolve(cwd, file);
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) {
    throw new SkeinError('FILE_UNREADABLE', `There is no file ${file}.`);
  }
  if (/\.[cm]?[jt]s$/.test(file)) {
    return { ...common, code: { module: path }, ...defined({ name }), options };
  }
  if (!file.endsWith('.py')) {
    throw usageError(`--function ${given}: it must be a file .ts, .js or .py, or skein:NAME.`);
  }
  const found = await findInputs(context, [relative(cwd, path), ...input], [], false);
  const inputs = await uploadInputs(context, client, found);
  const python = found.find((each) => basename(each.path) === basename(path))?.path;
  return {
    ...common,
    code: { python, inputs, trusted, network, ...defined({ image }) },
    ...defined({ name }),
    options,
  };
}
