/**
 * The host resources that a driver needs to launch processes: control groups, a folder, a launcher.
 */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ControlGroupsHere } from '../cgroup/contract.ts';
import { openControlGroups } from '../cgroup/open.ts';
import { startLauncher, type Launcher } from '../launcher/launcher.ts';
import { makeRunFolder } from './run-folder.ts';

export interface LaunchHost {
  readonly groups: ControlGroupsHere;
  readonly launcher: Launcher;
  /** A folder of the driver, as long as it is open. */
  readonly folder: string;
  /** Kills all launched processes and removes everything. */
  close(): Promise<void>;
}

export interface LaunchHostOptions {
  /** The command prefix that starts the launcher's shell in name spaces. */
  readonly within: readonly string[];
  /** A filter that launched processes find open at descriptor 5. */
  readonly seccomp: Uint8Array;
  /** The number of processes that wait for a command. */
  readonly parked: number;
}

export async function openLaunchHost(options: LaunchHostOptions): Promise<LaunchHost> {
  const { within, seccomp, parked } = options;
  const here = await openControlGroups();
  const folder = await makeRunFolder();
  writeFileSync(`${folder}/seccomp`, seccomp);
  const { groups } = here;
  const launcher = startLauncher({ groups, seccomp: `${folder}/seccomp`, within, parked });
  return {
    groups: here,
    launcher,
    folder,
    async close() {
      await launcher.close();
      await groups?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
