/** Verdicts, and what the end of a submission's process means. */
import type { Ending } from '@skein/sandbox';

export type Verdict = 'AC' | 'WA' | 'TLE' | 'MLE' | 'RTE' | 'CE' | 'OLE' | 'JE';

export const VERDICT_NAMES: Readonly<Record<Verdict, string>> = {
  AC: 'Accepted',
  WA: 'Wrong answer',
  TLE: 'Time limit exceeded',
  MLE: 'Memory limit exceeded',
  RTE: 'Run-time error',
  CE: 'Compile error',
  OLE: 'Output limit exceeded',
  JE: 'Judge error',
};

export interface Outcome {
  readonly verdict: Verdict;
  /** In words, with the numbers. */
  readonly reason: string;
}

/** The limits that one run of a submission had. */
export interface RunLimits {
  /** Processor time, which decides TLE. */
  readonly cpuMs: number;
  /** When the kernel stops the program, in cpu time; later than `cpuMs`. */
  readonly stopMs: number;
  readonly wallMs: number;
  readonly memoryBytes: number;
  readonly outputBytes: number;
}

/**
 * @returns why the run failed, or undefined when it exited with status 0 inside its limits.
 * Cpu time is compared even after a clean exit: the kernel may stop a process only a little late.
 */
export function failureOf(ending: Ending, limits: RunLimits): Outcome | undefined {
  const { usage } = ending;
  switch (ending.endedBy) {
    case 'cpu-limit':
      return {
        verdict: 'TLE',
        reason: `stopped after ${seconds(usage.cpuMs)} of cpu time; the limit is ${seconds(limits.cpuMs)}`,
      };
    case 'wall-limit':
      return {
        verdict: 'TLE',
        reason: `wall limit: still running after ${seconds(limits.wallMs)}, with ${seconds(usage.cpuMs)} of cpu time used`,
      };
    case 'out-of-memory':
      return {
        verdict: 'MLE',
        reason: `needed more than ${mebibytes(limits.memoryBytes)} MiB of memory`,
      };
    case 'output-limit':
      return { verdict: 'OLE', reason: `wrote more than ${mebibytes(limits.outputBytes)} MiB` };
    case 'killed':
      return { verdict: 'JE', reason: 'the run was stopped from outside' };
    case 'exit':
    case 'signal':
      break;
  }
  if (usage.cpuMs > limits.cpuMs) {
    return {
      verdict: 'TLE',
      reason: `used ${seconds(usage.cpuMs)} of cpu time; the limit is ${seconds(limits.cpuMs)}`,
    };
  }
  if (ending.signal !== null) return { verdict: 'RTE', reason: `ended by ${ending.signal}` };
  if (ending.exitCode !== 0) return { verdict: 'RTE', reason: `exit status ${ending.exitCode}` };
  return undefined;
}

/** The usage in words; none where nothing ran, as with answers that were computed elsewhere. */
export function usageWords({
  cpuMs,
  memoryBytes,
}: {
  readonly cpuMs: number;
  readonly memoryBytes: number;
}): string[] {
  return memoryBytes === 0 ? [] : [seconds(cpuMs), `${mebibytes(memoryBytes)} MiB`];
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 1000 ? 3 : 2)} s`;
}

export function mebibytes(bytes: number): string {
  return `${Number((bytes / 2 ** 20).toFixed(1))}`;
}
