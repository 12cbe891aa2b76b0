import { setFlagsFromString } from 'node:v8';

/**
 * Bounds on V8's heap in a process that serves.
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
 * Restarts this process with the bounds, under its own id and with its own arguments: V8 reads them
 * at its start alone. Does nothing when it has them, or when a process cannot replace itself.
 */
export function restartWithBoundedHeap(): void {
  const missing = BOUNDS.filter((bound) => !isSet(bound.split('=')[0]!));
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
