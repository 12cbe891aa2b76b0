/** Opens the control groups of this host: version 2 where it has the controllers, else version 1. */
import { existsSync, readFileSync } from 'node:fs';
import type { ControlGroupsHere } from './contract.ts';
import { readMounts } from '@skein/api/control-groups';
import { openV1 } from './v1.ts';
import { openV2 } from './v2.ts';

export async function openControlGroups(): Promise<ControlGroupsHere> {
  if (!existsSync('/proc/self/mountinfo')) {
    return {
      groups: undefined,
      reason: `${process.platform} has no control groups`,
      fix: 'Run on Linux.',
    };
  }
  const mounts = readMounts(readFileSync('/proc/self/mountinfo', 'latin1'));
  const cgroup = readFileSync('/proc/self/cgroup', 'latin1');
  // In the hybrid layout the unified hierarchy is mounted, but its controllers are in version 1.
  const hasMemory =
    mounts.unified !== undefined &&
    readFileSync(`${mounts.unified}/cgroup.controllers`, 'latin1').split(/\s/).includes('memory');
  if (mounts.unified !== undefined && hasMemory) return await openV2(mounts.unified, cgroup);
  return await openV1(mounts, cgroup);
}
