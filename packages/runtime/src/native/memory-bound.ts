/**
 * Bounds the memory of a child process that has just started, before it loads a model.
 *
 * On Linux it is RLIMIT_DATA, which counts private memory as it is mapped: what goes beyond is
 * refused, ONNX Runtime reports that as the failure of one run, and the process goes on. A control
 * group would kill it instead, and cannot be made without rights that a node often lacks. V8 maps
 * about a gigabyte that it never touches; therefore the bound counts from what is mapped already.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Room in which the process itself may grow, in bytes: code, handles, messages. */
const OWN_GROWTH_BYTES = 128 * 2 ** 20;

const run = promisify(execFile);

/**
 * @returns false where the kernel has no such bound, or `prlimit` of util-linux is missing: then only
 *   the look that the child takes at itself holds it.
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
