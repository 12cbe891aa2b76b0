/** The child processes of a node that run a replica; a node has other children, such as sandboxes. */
import { readFileSync } from 'node:fs';
import { childrenOf } from '../../../runtime/src/testing/processes.ts';

/** @returns their process ids. Linux only. */
export function replicaProcessesOf(node: number): number[] {
  return childrenOf(node).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/runtime/src/native/');
    } catch {
      // It has ended in the meantime.
      return false;
    }
  });
}
