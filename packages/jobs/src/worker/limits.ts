/**
 * The limits of an attempt: those that the work asks for, and defaults for the rest. A default that
 * the driver cannot enforce is dropped for trusted work. For untrusted work it is kept, so that the
 * driver refuses: no untrusted program runs with fewer limits than were promised.
 */
import type { Enforcement, Limits } from '@skein/sandbox';
import type { JobSpec } from '../contract.ts';
import type { WorkLimits } from '../work.ts';

const MIB = 2 ** 20;

/** Defaults, as the API documents them. */
export const DEFAULT_LIMITS = {
  wallMs: 3_600_000,
  pids: 64,
  outputBytes: 64 * MIB,
  fileBytes: 1024 * MIB,
  diskBytes: 1024 * MIB,
} as const;

/** The limits of a sandbox session; an absent limit is infinite. */
export function limitsOf(
  asked: WorkLimits,
  resources: JobSpec['resources'],
  enforcement: Enforcement,
  trusted: boolean,
): Limits {
  const bound = (name: keyof Limits, byDefault: number): number => {
    const given = asked[name];
    if (given !== undefined) return given;
    return trusted && !enforcement.limits[name].enforced ? Number.POSITIVE_INFINITY : byDefault;
  };
  const cores = asked.cores ?? (enforcement.limits.cores.enforced ? resources.cores : undefined);
  return {
    ...(asked.cpuMs === undefined ? {} : { cpuMs: asked.cpuMs }),
    wallMs: bound('wallMs', DEFAULT_LIMITS.wallMs),
    memoryBytes: bound('memoryBytes', resources.memoryBytes),
    pids: bound('pids', DEFAULT_LIMITS.pids),
    outputBytes: bound('outputBytes', DEFAULT_LIMITS.outputBytes),
    fileBytes: bound('fileBytes', DEFAULT_LIMITS.fileBytes),
    diskBytes: bound('diskBytes', DEFAULT_LIMITS.diskBytes),
    ...(cores === undefined ? {} : { cores }),
  };
}
