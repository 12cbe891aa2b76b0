/** Memory of a process and of all that it started, in bytes; 0 when it has ended. */
import { readFile, readdir, writeFile } from 'node:fs/promises';

/** Resident: cheap to ask for, but a page that is mapped twice counts twice. */
export function memoryOf(pid: number): Promise<number> {
  return sumUnder(pid, 'status', /^VmRSS:\s+(\d+) kB/m);
}

/** Proportional: a page that is mapped several times, as V8's built-in code is by each thread, counts once. */
export function proportionalMemoryOf(pid: number): Promise<number> {
  return sumUnder(pid, 'smaps_rollup', /^Pss:\s+(\d+) kB/m);
}

/** The peak resident memory of each of them, since it began or since the last reset. */
export function peakMemoryOf(pid: number): Promise<number> {
  return sumUnder(pid, 'status', /^VmHWM:\s+(\d+) kB/m);
}

export async function forgetPeakMemoryOf(pid: number): Promise<void> {
  const pids = await processesUnder(pid);
  // proc_pid_clear_refs(5): the value 5 sets the peak to what there is now.
  await Promise.all(pids.map((each) => writeFile(`/proc/${each}/clear_refs`, '5')));
}

async function sumUnder(pid: number, file: string, kib: RegExp): Promise<number> {
  const sizes = await Promise.all(
    (await processesUnder(pid)).map(async (each) => {
      const text = await readFile(`/proc/${each}/${file}`, 'utf8').catch(() => '');
      return Number(kib.exec(text)?.[1] ?? 0) * 1024;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
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
