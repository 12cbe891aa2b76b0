/**
 * Things that must be unchanged after the corpus: a world-writable file of the host, a process, a
 * listener on loopback and one on an abstract socket that no guest may reach; and the counts of
 * everything that a guest could leave behind.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { thisOwner } from '../../host/owner.ts';
import { processesWith } from '../../testing/every-driver.ts';

export interface Canaries {
  /** Gives a hostile program the places of the canaries. */
  readonly env: Readonly<Record<string, string>>;
  /** A text that only the file of the host contains. */
  readonly mark: string;
  /** The changes to them; empty when there are none. */
  damage(): string[];
  close(): Promise<void>;
}

export async function setCanaries(): Promise<Canaries> {
  const mark = `canary-${crypto.randomUUID()}`;
  // Not below /tmp, since a guest has its own.
  const folder = mkdtempSync('/var/tmp/skein-canary-');
  const file = join(folder, 'file');
  writeFileSync(file, mark);
  chmodSync(file, 0o666);
  chmodSync(folder, 0o777);
  const before = fingerprint(folder);

  // Most guests run as this user; only their namespace isolates the process from them.
  const sleeper = spawn('sleep', ['3600'], { stdio: 'ignore', uid: 58_002, gid: 58_002 });
  let visitors = 0;
  const count = (server: Server): Server =>
    server.on('connection', (socket) => void (visitors++, socket.destroy()));
  const tcp = count(createServer()).listen(0, '::');
  const abstract = count(createServer()).listen(`\0${mark}`);
  await Promise.all([once(tcp, 'listening'), once(abstract, 'listening'), once(sleeper, 'spawn')]);

  return {
    mark,
    env: {
      CANARY_FILE: file,
      CANARY_MARK: mark,
      CANARY_PID: String(sleeper.pid),
      CANARY_PORT: String((tcp.address() as AddressInfo).port),
      CANARY_SOCKET: mark,
    },
    damage() {
      return [
        ...(fingerprint(folder) === before
          ? []
          : [`the file of the host is now ${fingerprint(folder)}`]),
        ...(sleeper.exitCode === null &&
        sleeper.signalCode === null &&
        stateOf(sleeper.pid ?? 0) === 'S'
          ? []
          : ['the process of the host was stopped or killed']),
        ...(visitors === 0 ? [] : [`${visitors} connections to listeners of the host`]),
      ];
    },
    async close() {
      sleeper.kill('SIGKILL');
      await Promise.all(
        [tcp, abstract].map((server) => new Promise((resolve) => server.close(resolve))),
      );
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Every property of a folder that a guest could change. */
function fingerprint(folder: string): string {
  return readdirSync(folder)
    .toSorted()
    .map((name) => {
      const { mode, size, uid, nlink } = statSync(join(folder, name));
      return [name, mode, size, uid, nlink, readFileSync(join(folder, name), 'utf8')].join(' ');
    })
    .join('\n');
}

/** One letter, as in proc(5). */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch {
    return undefined;
  }
}

/**
 * Things that guests could leave on a host: processes with a mark in their environment, groups,
 * mounts, shared memory.
 */
export function leftovers(mark: string): string[] {
  return [
    ...processesWith(mark, 'environ').map((pid) => `process ${pid}`),
    ...groupsOfThisProcess(),
    ...sharedMemory(),
  ];
}

function groupsOfThisProcess(): string[] {
  const tops = [
    '/sys/fs/cgroup',
    ...readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`),
  ];
  return tops
    .map((top) => `${top}/skein/${thisOwner()}`)
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()),
    )
    .map((entry) => `control group ${entry.name}`);
}

function sharedMemory(): string[] {
  const lines = ['shm', 'sem', 'msg'].flatMap((kind) =>
    readFileSync(`/proc/sysvipc/${kind}`, 'utf8').trim().split('\n').slice(1),
  );
  // The key that the corpus uses.
  return lines
    .filter((line) => line.trim().startsWith(String(0x5be11)))
    .map((line) => `System V ${line.trim()}`);
}

/**
 * Mounts of this project on the host, for comparison; mounts of a container are removed with it.
 * Without the small disks that other tests mount at the same time, all from the source `test-disk`.
 */
export function mounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('skein') && !line.includes(' - tmpfs test-disk '))
    .toSorted();
}
