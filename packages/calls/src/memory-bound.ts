/**
 * Bounds the memory of a child process that has just started, before it loads a model.
 *
 * On Linux this is RLIMIT_DATA, which counts private memory when it is mapped: a mapping beyond the
 * limit is refused, ONNX Runtime reports one failed run, and the process continues. A control group
 * would kill the process instead, and making one needs rights that a node often lacks. V8 maps
 * about a gigabyte that it never touches; therefore the bound is added to the memory that is mapped
 * already.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Memory that the process itself may still need, in bytes: code, handles, messages. */
const OWN_GROWTH_BYTES = 128 * 2 ** 20;

const run = promisify(execFile);

/**
 * @returns false when the kernel has no such limit, or `prlimit` of util-linux is missing: then
 *   only the child's own check (parent-watch.ts) enforces the bound.
 */
export async function boundMemory(pid: number, maxBytes: number): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  try {
    const status = await readFile(`/proc/${pid}/status`, 'latin1');
    const mapped = Number(/^VmData:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    const limit = Math.ceil(mapped + OWN_GROWTH_BYTES + maxBytes);
    await run('prlimit', ['--pid', String(pid), `--data=${limit}:${limit}`]);
    return true;
  } catch {
    return false;
  }
}
