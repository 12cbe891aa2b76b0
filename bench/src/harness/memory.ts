/** Resident memory of a process and of all that it started, in bytes; 0 when it has ended. */
import { readFile, readdir } from 'node:fs/promises';

export async function memoryOf(pid: number): Promise<number> {
  const pids = await processesUnder(pid);
  const sizes = await Promise.all(pids.map(residentBytes));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** 0 when the process has ended. */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

async function processesUnder(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const children = await Promise.all(
    threads.map((thread) =>
      readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => ''),
    ),
  );
  const below = children.join(' ').split(' ').filter(Boolean).map(Number);
  return [pid, ...(await Promise.all(below.map(processesUnder))).flat()];
}
