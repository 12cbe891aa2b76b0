/** What a driver needs on the host to launch processes: control groups, a folder, a launcher. */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ControlGroupsHere } from './cgroup/contract.ts';
import { openControlGroups } from './cgroup/open.ts';
import { startLauncher, type Launcher } from './launcher/launcher.ts';
import { makeRunFolder } from './run-folder.ts';

export interface LaunchHost {
  readonly groups: ControlGroupsHere;
  readonly launcher: Launcher;
  /** A folder of the driver's own, for as long as it is open. */
  readonly folder: string;
  /** Kills what was launched and removes everything. */
  close(): Promise<void>;
}

export interface LaunchHostOptions {
  /** Words before the launcher's shell, which put it into name spaces. */
  readonly within: readonly string[];
  /** A filter that what is launched finds open at descriptor 5. */
  readonly seccomp: Uint8Array;
  /** How many processes wait for a command. */
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
