/**
 * Flags of Node and V8 for a process that serves. Node reads them at its start alone, so the process
 * restarts itself with them.
 */
import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/**
 * Bounds on V8's heap.
 *
 * By default V8 lets garbage grow with traffic: its young generation to 128 MiB, its old one to a
 * multiple of what is alive. Callers without a key can cause that much, and memory that V8 has taken
 * it keeps for long. With these bounds, the same requests take a tenth of the memory;
 * docs/decisions/0020 has the figures.
 */
const BOUNDS = ['--max-semi-space-size=8', '--heap-growing-percent=100'];
/** Under load of callers without a key: collects sooner, which would cost normal traffic too much speed. */
const SMALL = '--heap-growing-percent=20';

/**
 * Node copies its own code into huge pages (2 MiB): with pages of 4 KiB, the code of one request lies in more pages
 * than the processor caches addresses of. A node answers 1.07 to 1.13 times as many requests, takes 24 MiB more, and
 * starts 45 ms later; docs/decisions/0037 has the figures. Where the system has no huge pages, the flag does nothing.
 */
const HUGE_PAGES = '--use-largepages=silent';
/** A machine or container with less memory needs the 24 MiB more than the speed. */
const HUGE_PAGES_FROM_BYTES = 2 ** 30;

/**
 * Restarts this process with its flags, under its own id and with its own arguments. Does nothing
 * when it has them, or when a process cannot replace itself.
 */
export function restartWithFlags(): void {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  const wanted = memory < HUGE_PAGES_FROM_BYTES ? BOUNDS : [...BOUNDS, HUGE_PAGES];
  const missing = wanted.filter((flag) => !isSet(flag.split('=')[0]!));
  if (missing.length === 0 || typeof process.execve !== 'function') return;
  const flags = [...process.execArgv, ...missing];
  process.execve(process.execPath, [process.execPath, ...flags, ...process.argv.slice(1)]);
}

/**
 * Has V8 collect the old generation sooner, from its next collection on. Does nothing where the
 * operator gives a value.
 */
export function keepHeapSmall(small: boolean): void {
  const [, growth] = BOUNDS;
  if (process.execArgv.includes(growth!)) setFlagsFromString(small ? SMALL : growth!);
}

/** An operator's own value counts. */
function isSet(flag: string): boolean {
  const given = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')];
  return given.some((each) => each.replaceAll('_', '-').split('=')[0] === flag);
}
