/** Finds the node that a command talks to, and makes the client for it. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Client } from '@skein/api/client';
import type { Context } from './command.ts';
import { text } from './option.ts';

export const DEFAULT_URL = 'http://127.0.0.1:4700';

export const dataOption = text(
  'FOLDER',
  'Data folder of the node (or SKEIN_DATA; default .skein).',
  {
    completes: 'folder',
  },
);

/** The options of every command that talks to a node. */
export const connectionOptions = {
  server: text(
    'URL',
    `The node (or SKEIN_URL; default: the one running on the data folder, else ${DEFAULT_URL}).`,
  ),
  key: text('KEY', 'API key, where the node asks for one (or SKEIN_KEY).'),
  data: dataOption,
};

export interface ConnectionChoice {
  readonly server: string | undefined;
  readonly key: string | undefined;
  readonly data: string | undefined;
}

export interface Connection {
  readonly client: Client;
  readonly url: string;
  readonly key: string | undefined;
}

export async function connect(
  context: Context,
  choice: ConnectionChoice,
  options: { readonly fetch?: typeof globalThis.fetch } = {},
): Promise<Connection> {
  const { createClient } = await import('@skein/api/client');
  const url = await nodeUrl(context, choice);
  const key = choice.key ?? fromEnvironment(context, 'SKEIN_KEY');
  return { client: createClient({ url, key, ...options }), url, key };
}

/** The node's address: as given, from the environment, as recorded by the running node, or the default. */
export async function nodeUrl(
  context: Context,
  choice: Pick<ConnectionChoice, 'server' | 'data'>,
): Promise<string> {
  return (
    explicitUrl(context, choice) ??
    (await runningNodeUrl(dataFolder(context, choice.data))) ??
    DEFAULT_URL
  );
}

/** The address that the person named, if they did. */
export function explicitUrl(
  context: Context,
  choice: Pick<ConnectionChoice, 'server'>,
): string | undefined {
  return choice.server ?? fromEnvironment(context, 'SKEIN_URL');
}

/** The absolute path of the data folder. */
export function dataFolder(context: Context, given: string | undefined): string {
  return resolve(context.cwd, given ?? fromEnvironment(context, 'SKEIN_DATA') ?? '.skein');
}

/**
 * The address of the node that runs on a data folder, as it has announced itself in `node.json`;
 * absent when none runs, even if one ended without tidying up.
 */
export async function runningNodeUrl(folder: string): Promise<string | undefined> {
  try {
    const note = JSON.parse(await readFile(join(folder, 'node.json'), 'utf8')) as {
      readonly pid?: unknown;
      readonly url?: unknown;
    };
    if (typeof note.url !== 'string' || typeof note.pid !== 'number') return undefined;
    return isAlive(note.pid) ? note.url : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function fromEnvironment(context: Context, name: string): string | undefined {
  const given = context.env[name];
  return given === undefined || given === '' ? undefined : given;
}
