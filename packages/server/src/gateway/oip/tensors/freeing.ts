/** Memory that was moved to a thread and is not moved on. */
import { moving } from '@skein/calls/serve';

/**
 * Runs a job on memory that was moved here, and gives it back at once unless the result has it: V8
 * would collect it only with the next bodies, gigabytes later.
 */
export function freeing<Result extends object>(
  received: readonly ArrayBufferView[],
  run: () => { readonly result: Result; readonly transfer: readonly ArrayBuffer[] },
): Result {
  let moved: readonly ArrayBuffer[] = [];
  // Before the job, which may take the memory away.
  const buffers = new Set(received.map(({ buffer }) => buffer as ArrayBuffer));
  try {
    const { result, transfer } = run();
    moved = transfer;
    return moving(result, [...transfer]);
  } finally {
    for (const buffer of moved) buffers.delete(buffer);
    for (const buffer of buffers) if (!buffer.detached) buffer.transfer(0);
  }
}
