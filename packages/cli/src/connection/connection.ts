/** Finds the node of a command, and creates the client for it. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import { isAlive } from '@skein/api/machine';
import type { Client } from '@skein/api/client';
import type { Trust } from '@skein/load/trust';
import type { Context, OptionValues } from '../command-line/command.ts';
import { text } from '../command-line/option.ts';
import { readTrust, trustingFetch, trustOptions } from './trust.ts';

export const DEFAULT_URL = 'http://127.0.0.1:4700';

export const dataOption = text(
  'FOLDER',
  'Data folder of the node (or SKEIN_DATA; default .skein).',
);

/** The options of every command that talks to a node. */
export const connectionOptions = {
  server: text(
    'URL',
    `The node (or SKEIN_URL; default: the one running on the data folder, else ${DEFAULT_URL}).`,
  ),
  key: text('KEY', 'API key, where the node asks for one (or SKEIN_KEY).'),
  data: dataOption,
  ...trustOptions,
};

/** Where a command was called, and what ends its calls. */
export type Place = Pick<Context, 'cwd' | 'env'> & Partial<Pick<Context, 'signal'>>;

export type ConnectionChoice = OptionValues<typeof connectionOptions>;

/** Wraps the fetch of a client, such as for a counter of bytes. */
export type FetchWrapper = (fetch: typeof globalThis.fetch) => typeof globalThis.fetch;

export interface Connection {
  readonly client: Client;
  readonly url: string;
  readonly key: string | undefined;
  readonly trust: Trust | undefined;
  /** Speaks to the node with that trust. */
  readonly fetch: typeof globalThis.fetch;
}

/** The calls of the client end with the command, unless they are given `signal: null`. */
export async function connect(
  context: Place,
  choice: ConnectionChoice,
  wrapFetch: FetchWrapper = (fetch) => fetch,
): Promise<Connection> {
  const { createClient } = await import('@skein/api/client');
  const url = await nodeUrl(context, choice);
  const key = choice.key ?? fromEnvironment(context, 'SKEIN_KEY');
  const trust = await readTrust(context, choice, await notedCertificate(context, choice, url));
  const fetch = wrapFetch(await trustingFetch(trust));
  return {
    client: createClient({ url, key, fetch, signal: context.signal }),
    url,
    key,
    trust,
    fetch,
  };
}

/** Certificate of the node on the data folder, if that is the one at `url`. */
async function notedCertificate(
  context: Place,
  { data }: Pick<ConnectionChoice, 'data'>,
  url: string,
): Promise<string | undefined> {
  const note = url.startsWith('https:') ? await runningNode(dataFolder(context, data)) : undefined;
  return note?.url === url ? note.certificate : undefined;
}

/** The node's address: as given, from the environment, as recorded by the running node, or the default. */
export async function nodeUrl(
  context: Place,
  choice: Pick<ConnectionChoice, 'server' | 'data'>,
): Promise<string> {
  return (
    explicitUrl(context, choice) ??
    (await runningNode(dataFolder(context, choice.data)))?.url ??
    DEFAULT_URL
  );
}

/** The address that the user named, if any. */
export function explicitUrl(
  context: Place,
  choice: Pick<ConnectionChoice, 'server'>,
): string | undefined {
  return choice.server ?? fromEnvironment(context, 'SKEIN_URL');
}

/** The absolute path of the data folder. */
export function dataFolder(context: Place, given: string | undefined): string {
  return resolve(context.cwd, given ?? fromEnvironment(context, 'SKEIN_DATA') ?? '.skein');
}

/** Makes a data folder, or a folder in it, for its owner alone. @throws SkeinError DATA_FOLDER_UNUSABLE, STORAGE_FULL. */
export async function makeDataFolder(path: string): Promise<void> {
  const { folderError } = await import('@skein/state/folder-lock');
  try {
    await makeFolders(path, 0o700);
  } catch (error) {
    throw folderError(error, path);
  }
}

/** Announcement of a node on a data folder, in `node.json`. */
export interface NoteOfNode {
  readonly pid: number;
  readonly url: string;
  readonly certificate: string | undefined;
}

/** The node that runs on a data folder; absent when none runs, even if one ended without tidying up. */
export async function runningNode(folder: string): Promise<NoteOfNode | undefined> {
  try {
    const { pid, url, certificate } = JSON.parse(
      await readFile(join(folder, 'node.json'), 'utf8'),
    ) as { readonly pid?: unknown; readonly url?: unknown; readonly certificate?: unknown };
    if (typeof url !== 'string' || typeof pid !== 'number' || !isAlive(pid)) return undefined;
    return { pid, url, certificate: typeof certificate === 'string' ? certificate : undefined };
  } catch {
    return undefined;
  }
}

function fromEnvironment(context: Place, name: string): string | undefined {
  const given = context.env[name];
  return given === undefined || given === '' ? undefined : given;
}
