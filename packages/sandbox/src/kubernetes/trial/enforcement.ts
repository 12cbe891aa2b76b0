/** The limits that the kubernetes driver claims before its trial. */
import type { Enforcement } from '../../contract.ts';
import { POLICY } from '../pod/manifests.ts';

/** @param groups the control groups that a container sees. */
export function enforcement(groups: 'v1' | 'v2' | 'none'): Enforcement {
  const held = (by: string): { enforced: true; by: string } => ({ enforced: true, by });
  const counted = `cgroup ${groups} of the container`;
  return {
    limits: {
      cpuMs:
        groups === 'none'
          ? {
              enforced: false,
              by: 'the container does not see its control group',
              fix: 'Use a runtime class whose containers have /sys/fs/cgroup.',
            }
          : held(
              `${counted}, which its process 1 reads; RLIMIT_CPU and cores × wall time behind it`,
            ),
      wallMs: held('a timer of the worker; activeDeadlineSeconds of the Job behind it'),
      memoryBytes: held('limits.memory of the container'),
      pids: held('RLIMIT_NPROC of a user that only this session has'),
      outputBytes: held('the worker counts it'),
      fileBytes: held('RLIMIT_FSIZE'),
      diskBytes: held('the size of an emptyDir in memory, for the workspace, /tmp and /dev/shm'),
      cores: held('limits.cpu of the container'),
    },
    network: {
      none: true,
      allowList: false,
      by: `the NetworkPolicy ${POLICY}; a list of addresses is not enforced: a policy has no names`,
    },
    untrusted: true,
    accounting: groups === 'none' ? 'none' : `cgroup ${groups}`,
  };
}
