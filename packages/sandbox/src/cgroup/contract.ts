/**
 * Control groups: where the kernel enforces memory, processes and cores for all processes of a
 * command together, and where it accounts for them.
 *
 * Each command has a group of its own, fresh, so that nothing of the last one is counted. Groups
 * of one driver lie in one folder, named by its owner.
 */
import type { Limits } from '../contract.ts';

export interface ControlGroup {
  readonly name: string;
  /** Bounds what runs in the group. */
  limit(limits: Pick<Limits, 'memoryBytes' | 'pids' | 'cores'>): void;
  /** User plus system time of everything that ran in the group, in milliseconds. */
  cpuMs(): number;
  /** The most that was charged to the group, in bytes. */
  peakMemoryBytes(): number;
  /** How many processes the kernel killed because the group had no memory left. */
  outOfMemoryKills(): number;
  /** Processes in the group, as process ids of the host. */
  processes(): number[];
  /** Kills what is in the group, now; something may still be dying when it returns. */
  kill(): void;
  /**
   * Kills what is left, waits for it, drops what it brought of files and names into the memory of the
   * kernel, and removes the group: who comes next finds the cache as if it had not run.
   */
  remove(): Promise<void>;
}

export interface ControlGroups {
  readonly version: 'v1' | 'v2';
  /** What a process joins: folders (without white space), in each of which its group has one named like it. */
  readonly folders: readonly string[];
  /** Whether swap is limited together with memory. */
  readonly limitsSwap: boolean;
  readonly limitsCores: boolean;
  create(name: string): Promise<ControlGroup>;
  /** Removes every group. */
  close(): Promise<void>;
}

/** What can be had here. */
export type ControlGroupsHere =
  | { readonly groups: ControlGroups }
  | { readonly groups: undefined; readonly reason: string; readonly fix: string };
