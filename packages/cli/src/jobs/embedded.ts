/**
 * The node for a job: one that is named or runs on the data folder, or else one that is started in
 * this process for the duration of the job. Both behave the same.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@skein/api/client';
import type { Context } from '../command-line/command.ts';
import {
  connect,
  dataFolder,
  explicitUrl,
  runningNodeUrl,
  type ConnectionChoice,
  type FetchWrapper,
} from '../connection/connection.ts';

export interface JobConnection {
  readonly client: Client;
  /** Ends the node when it was started here. */
  close(): Promise<void>;
}

interface StartOptions {
  /** Queues of a node that is started here. Default: `default`. */
  readonly queues?: readonly string[];
  readonly wrapFetch?: FetchWrapper;
}

/**
 * @param mayStart whether a node may be started: not for work that must outlive this process, and
 * with `kept` only on a folder that has kept jobs.
 */
export async function connectOrStart(
  context: Context,
  choice: ConnectionChoice,
  mayStart: boolean | 'kept',
  { queues, wrapFetch }: StartOptions = {},
): Promise<JobConnection> {
  const folder = dataFolder(context, choice.data);
  const named = explicitUrl(context, choice) ?? (await runningNodeUrl(folder));
  const starts = mayStart === 'kept' ? existsSync(join(folder, 'jobs.db')) : mayStart;
  if (named !== undefined || !starts) {
    const { client } = await connect(context, choice, wrapFetch);
    return { client, close: async () => undefined };
  }
  context.notes.progress('No node is running here: starting one …');
  const { startNode } = await import('@skein/server');
  const node = await startNode({
    dataFolder: folder,
    ...(queues === undefined ? {} : { queues }),
  });
  const { client } = await connect(context, { ...choice, server: node.url }, wrapFetch);
  return { client, close: () => node.drain() };
}

/**
 * Reads or changes kept state, also when no node is running on its folder. A node that is started
 * for that runs no jobs, unless `queues` names their queues: it ends soon.
 */
export async function withJobs<T>(
  context: Context,
  choice: ConnectionChoice,
  use: (client: Client) => Promise<T>,
  { queues = [], ...options }: StartOptions = {},
): Promise<T> {
  const connection = await connectOrStart(context, choice, 'kept', { queues, ...options });
  context.onInterrupt(() => connection.close());
  try {
    return await use(connection.client);
  } finally {
    await connection.close();
  }
}

/** Cancels the job of a command that was interrupted: its signal has ended every other call. */
export async function cancelInterrupted(client: Client, id: string): Promise<void> {
  await client.cancelJob({ id, reason: 'interrupted by its caller' }, { signal: null });
}
