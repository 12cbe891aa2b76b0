/**
 * A node that a command starts for its own duration. Other commands on the same data folder use it
 * meanwhile; it ends when the last of them has ended.
 *
 *   short-lived/PID/queues.json   the node of process PID is short-lived, and runs these queues
 *   short-lived/PID/users/PID     a process that uses it
 *   short-lived/PID/node.json     its note, while it checks for its last user
 *
 * A user notes itself before it relies on the address in the folder's node.json. The node withdraws
 * that address before it checks for users: either the node sees the user, or the user sees no
 * address and checks again.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import { isAlive } from '@skein/api/machine';
import type { Context } from '../command-line/command.ts';
import { runningNode, type NoteOfNode } from '../connection/connection.ts';

const OWNER_ONLY = 0o700;
const CHECK_EVERY_MS = 50;
/** After this long the wait is reported: a node that another command starts takes less. */
const REPORT_MS = 2_000;
/** How long a command waits for a folder that is locked by a process without an address. */
const LOCKED_MS = 60_000;

interface Wanted {
  /** The data folder, absolute. */
  readonly folder: string;
  /** Queues whose jobs the node runs. */
  readonly queues: readonly string[];
  /** Whether a node may be started. */
  readonly starts: boolean;
}

/** A node to use. `close` ends its use, and the node if it was started for this command. */
export interface UsedNode {
  readonly url: string;
  /** Whether it was started by a command, and ends with the last one that uses it. */
  readonly isShortLived: boolean;
  close(): Promise<void>;
}

/**
 * The node on the folder, or one that is started.
 * @returns `undefined` when none runs and none may be started.
 * @throws SkeinError as `startNode` does.
 */
export async function useNode(context: Context, wanted: Wanted): Promise<UsedNode | undefined> {
  const { folder, queues, starts } = wanted;
  const { notes, signal } = context;
  let lockedSince: number | undefined;
  for (;;) {
    const running = await runningNode(folder);
    if (running !== undefined) {
      // Where none may be started, the node need not run the work itself: it keeps it.
      const used = await useRunning(folder, running, starts ? queues : []);
      if (typeof used === 'object') return used;
      lockedSince = undefined;
      if (used === 'other queues') {
        notes.progress('Waiting for the command that has started a node here …');
      }
    } else {
      if (!starts) return undefined;
      try {
        return await start(context, wanted);
      } catch (error) {
        if (!(error instanceof SkeinError) || error.code !== 'DATA_FOLDER_LOCKED') throw error;
        lockedSince ??= performance.now();
        const lockedMs = performance.now() - lockedSince;
        if (lockedMs > LOCKED_MS) throw error;
        if (lockedMs > REPORT_MS) notes.progress(`Waiting for the folder: ${error.message}`);
      }
    }
    await sleep(CHECK_EVERY_MS, undefined, { signal });
  }
}

async function useRunning(
  folder: string,
  { pid, url }: NoteOfNode,
  queues: readonly string[],
): Promise<UsedNode | 'other queues' | 'ended'> {
  const place = placeOf(folder, pid);
  const runs = await queuesOf(place);
  if (runs === undefined) return { url, isShortLived: false, close: async () => undefined };
  if (queues.some((queue) => !runs.includes(queue))) return 'other queues';
  const note = join(place, 'users', String(process.pid));
  const close = () => rm(note, { force: true });
  try {
    await writeFile(note, '', { mode: 0o600 });
  } catch {
    return 'ended';
  }
  if ((await runningNode(folder))?.url === url) return { url, isShortLived: true, close };
  await close();
  return 'ended';
}

/** Queues of a short-lived node; `undefined` for any other. */
async function queuesOf(place: string): Promise<readonly string[] | undefined> {
  try {
    return JSON.parse(await readFile(join(place, 'queues.json'), 'utf8')) as readonly string[];
  } catch {
    return undefined;
  }
}

async function start({ notes }: Context, { folder, queues }: Wanted): Promise<UsedNode> {
  notes.progress('No node is running here: starting one …');
  const { startNode } = await import('@skein/server');
  const place = placeOf(folder, process.pid);
  // An unusable folder or a full disk is the error of the node, which has words for it.
  await noteQueues(place, queues).catch(() => undefined);
  try {
    const node = await startNode({ dataFolder: folder, queues });
    await removeKilled(place);
    let closed: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      await lastUserGone(folder, place, () =>
        notes.line('Another command uses the node that this one has started: waiting for it.'),
      );
      await node.drain();
      await rm(place, { recursive: true, force: true });
    };
    return { url: node.url, isShortLived: true, close: () => (closed ??= close()) };
  } catch (error) {
    await rm(place, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

async function noteQueues(place: string, queues: readonly string[]): Promise<void> {
  // Remains of an ended process that had this id.
  await rm(place, { recursive: true, force: true });
  await makeFolders(join(place, 'users'), OWNER_ONLY);
  await writeFile(join(place, 'queues.json'), JSON.stringify(queues), { mode: 0o600 });
}

/** The notes of nodes that were killed. The folder is locked now: no other node runs on it. */
async function removeKilled(own: string): Promise<void> {
  const all = dirname(own);
  for (const pid of await readdir(all).catch(() => [])) {
    if (!isAlive(Number(pid))) await rm(join(all, pid), { recursive: true, force: true });
  }
}

/** Resolves when the node has no users, and no address by which it could get one. */
async function lastUserGone(folder: string, place: string, onUser: () => void): Promise<void> {
  const address = join(folder, 'node.json');
  const withdrawn = join(place, 'node.json');
  for (let notified = false; ; notified = true) {
    try {
      await rename(address, withdrawn);
    } catch {
      return;
    }
    if (!(await isUsed(place))) return;
    await rename(withdrawn, address);
    if (!notified) onUser();
    while (await isUsed(place)) await sleep(CHECK_EVERY_MS);
  }
}

async function isUsed(place: string): Promise<boolean> {
  const users = await readdir(join(place, 'users')).catch(() => []);
  return users.some((pid) => isAlive(Number(pid)));
}

function placeOf(folder: string, pid: number): string {
  return join(folder, 'short-lived', String(pid));
}
