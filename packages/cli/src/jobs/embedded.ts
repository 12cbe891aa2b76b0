/**
 * The node for a job: one that is named or runs on the data folder, or else one that is started in
 * this process for the duration of the job. Both behave the same.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { JobView, NewJobInput } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import type { Context } from '../command-line/command.ts';
import {
  connect,
  dataFolder,
  explicitUrl,
  type ConnectionChoice,
  type FetchWrapper,
} from '../connection/connection.ts';
import { commandOver } from '../connection/node-command.ts';
import { useNode } from './short-lived-node.ts';

interface StartOptions {
  /** Queues of a node that is started here. Default: `default`. */
  readonly queues?: readonly string[];
  readonly wrapFetch?: FetchWrapper;
}

interface JobsOptions extends StartOptions {
  readonly mayStart?: boolean | 'kept';
}

/**
 * @returns the client, whether its node ends with the commands that use it, whether that is on this machine by
 * its data folder, and what ends the use.
 * @param mayStart whether a node may be started: not for work that must outlive this process, and
 * with `kept` only on a folder that has kept jobs.
 */
export async function connectOrStart(
  context: Context,
  choice: ConnectionChoice,
  mayStart: boolean | 'kept',
  { queues = ['default'], wrapFetch }: StartOptions = {},
) {
  const folder = dataFolder(context, choice.data);
  const starts = mayStart === 'kept' ? existsSync(join(folder, 'jobs.db')) : mayStart;
  const named = explicitUrl(context, choice);
  const used = named === undefined ? await useNode(context, { folder, queues, starts }) : undefined;
  const server = used?.url ?? named;
  const { client } = await connect(context, { ...choice, server }, wrapFetch);
  const { isShortLived = false } = used ?? {};
  return { client, isShortLived, isHere: named === undefined, close: async () => used?.close() };
}

/** Enqueues the job of a command. */
export type Submit = (job: NewJobInput) => Promise<JobView>;

/**
 * Uses a node, and ends one that it has started. By default a node may be started for kept state
 * alone, and runs no jobs, unless `queues` names their queues: it ends soon. With `mayStart: true`
 * an interruption cancels the submitted job: its caller is gone.
 */
export async function withJobs<T>(
  context: Context,
  choice: ConnectionChoice & JobsOptions,
  use: (client: Client, submit: Submit, isHere: boolean) => Promise<T>,
): Promise<T> {
  const { mayStart = 'kept', queues = [] } = choice;
  const options = { ...choice, queues };
  const { client, isShortLived, isHere, close } = await connectOrStart(
    context,
    choice,
    mayStart,
    options,
  );
  let submitted: JobView | undefined;
  context.onInterrupt(async () => {
    if (submitted !== undefined && mayStart === true) {
      // The signal of the command has ended every other call.
      const cancelled = { id: submitted.id, reason: 'interrupted by its caller' };
      await client.cancelJob(cancelled, { signal: null });
    }
    await close();
  });
  const submit: Submit = async (job) => {
    [submitted] = (await client.enqueueJobs({ jobs: [job] })).jobs;
    if (submitted === undefined) throw new SkeinError('INTERNAL', 'The node accepted no job.');
    if (isShortLived && mayStart === false) context.notes.line(ENDS_WITH_ANOTHER);
    return submitted;
  };
  try {
    return await use(client, submit, isHere);
  } catch (error) {
    throw submitted === undefined ? error : withJob(error, submitted);
  } finally {
    await close();
  }
}

const ENDS_WITH_ANOTHER =
  'The node here was started by another command, and ends with it: what has not ended by then waits for the next node on this folder, such as skein up.';

/** A node that is gone has lost no job that it accepted. */
function withJob(error: unknown, { id }: JobView): unknown {
  if (!(error instanceof SkeinError) || error.code !== 'NODE_UNREACHABLE') return error;
  return new SkeinError(
    error.code,
    `${error.message} It has accepted the job ${id}, which continues when a node runs there again: skein jobs logs -f ${id}.`,
    { cause: error },
  );
}

/** A command that shows or changes jobs, and starts none. */
export const jobsCommand = commandOver<{ readonly client: Client; readonly submit: Submit }>(
  (context, choice, work) =>
    withJobs(context, choice, (client, submit) => work({ client, submit })),
);
