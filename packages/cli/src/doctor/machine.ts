/** The machine itself: Node, cores, memory, disk, ports. */
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { freeMemoryBytes, usableCores, usableMemoryBytes } from '@skein/api/machine';
import { formatBytes } from '@skein/api/units';
import { broken, check, missing, ok, type Check, type CheckContext } from './check.ts';

const LEAST_MEMORY = 512 * 1024 ** 2;
const LEAST_DISK = 512 * 1024 ** 2;

export const checkNode = check('Node', true, () => {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const recent = major > 22 || (major === 22 && minor >= 18);
  return recent
    ? ok(`${node} at ${process.execPath}`)
    : broken(`${node} cannot run TypeScript`, 'npm ci (brings a private Node 24)');
});

export const checkCores = check('Cores', true, () => {
  const usable = usableCores();
  const all = cpus().length;
  const model = cpus()[0]?.model.trim() ?? '';
  const limited = usable < all ? ` of ${all} (limited by affinity or a control group)` : '';
  return ok(`${usable}${limited}${model === '' ? '' : `, ${model}`}`);
});

export const checkMemory = check('Memory', true, () => {
  const total = usableMemoryBytes();
  const limited =
    total < totalmem()
      ? ` (limited by a control group; the machine has ${formatBytes(totalmem())})`
      : '';
  const free = freeMemoryBytes();
  const detail = `${formatBytes(free)} free of ${formatBytes(total)}${limited}`;
  return free >= LEAST_MEMORY
    ? ok(detail)
    : broken(`${detail}; 512 MiB are needed`, 'End other programs, or raise the memory limit');
});

export const checkDisk = check('Disk', true, async ({ dataFolder }) => {
  const { free, folder } = await freeSpace(dataFolder);
  const detail = `${formatBytes(free)} free at ${folder}`;
  return free >= LEAST_DISK
    ? ok(detail)
    : broken(
        `${detail}; 512 MiB are needed`,
        'Free space there, or choose another folder with --data',
      );
});

/** Free space of the folder, or of the nearest one above it that exists. */
async function freeSpace(folder: string): Promise<{ free: number; folder: string }> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return { free: bavail * bsize, folder };
  } catch (error) {
    const parent = dirname(folder);
    if (parent === folder) throw error;
    return freeSpace(parent);
  }
}

export const checkHttpPort = checkPort('HTTP port', ({ httpPort }) => httpPort);
export const checkGrpcPort = checkPort('gRPC port', ({ grpcPort }) => grpcPort);

/** A taken port is not a fault: `skein up` takes the next free one. */
function checkPort(name: string, portOf: (context: CheckContext) => number): Check {
  return check(name, false, async (context) => {
    const port = portOf(context);
    const failure = await tryPort(port);
    if (failure === undefined) return ok(`${port} is free`);
    if (await answersAsSkein(context.httpPort)) return ok(`${port} is taken by a Skein node`);
    return missing(
      `${port} cannot be had (${failure}); skein up takes the next free one`,
      listenerCommand(port),
    );
  });
}

/** Shows the process that listens at the port. */
function listenerCommand(port: number): string {
  if (process.platform === 'win32') return `netstat -ano | findstr :${port}`;
  if (process.platform === 'darwin') return `lsof -nP -iTCP:${port} -sTCP:LISTEN`;
  return `ss -ltnp 'sport = :${port}' (shows the process that has it)`;
}

function tryPort(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(undefined)));
  });
}

async function answersAsSkein(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v2`, {
      signal: AbortSignal.timeout(1000),
    });
    const { name } = (await response.json()) as { name?: unknown };
    return typeof name === 'string' && name.toLowerCase().includes('skein');
  } catch {
    return false;
  }
}
