/**
 * Control groups: the kernel enforces and counts memory, processes and cores for all processes of a
 * command together.
 *
 * Each command has a fresh group of its own, so that the counts of an earlier command do not
 * matter. The groups of one driver lie in one folder, named by its owner.
 */
import type { Limits } from '../contract.ts';

export interface ControlGroup {
  readonly name: string;
  limit(limits: Pick<Limits, 'memoryBytes' | 'pids' | 'cores'>): void;
  /** User plus system time of all processes that ran in the group, in milliseconds. */
  cpuMs(): number;
  /** The most that was charged to the group, in bytes. */
  peakMemoryBytes(): number;
  /** How many processes the kernel killed because the group had no memory left. */
  outOfMemoryKills(): number;
  /** Processes in the group, as process ids of the host. */
  processes(): number[];
  /** Kills the processes of the group at once; some may still be dying when it returns. */
  kill(): void;
  /**
   * Kills the remaining processes, waits for them, drops the cached files and names that they
   * brought into the kernel's memory, and removes the group: the next command finds the cache as if
   * this one had not run.
   */
  remove(): Promise<void>;
}

export interface ControlGroups {
  readonly version: 'v1' | 'v2';
  /**
   * Folders (without white space). In each of them, a slot has a group of its own name, which the
   * process joins.
   */
  readonly folders: readonly string[];
  /** Whether swap is limited together with memory. */
  readonly limitsSwap: boolean;
  readonly limitsCores: boolean;
  create(name: string): Promise<ControlGroup>;
  /** Removes every group. */
  close(): Promise<void>;
}

/** The control groups of this host, or why there are none. */
export type ControlGroupsHere =
  | { readonly groups: ControlGroups }
  | { readonly groups: undefined; readonly reason: string; readonly fix: string };
