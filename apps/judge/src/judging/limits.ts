/** Which limits each command of judging gets, and whether this machine can hold them. */
import { SkeinError } from '@skein/api';
import { usableMemoryBytes } from '@skein/api/machine';
import type { Limits } from '@skein/sandbox';
import type { Problem } from '../package/problem.ts';
import type { RunLimits } from './verdict.ts';
import { mebibytes } from './verdict.ts';

/**
 * Wall time that a run may take beyond its cpu time, for waiting that is not its own doing. A program
 * that sleeps or waits for ever is stopped by it, and the verdict gives that reason.
 */
const WALL_SLACK_MS = 5000;
const WALL_FACTOR = 3;
/** The kernel stops a program this much after its limit, so that what it used is seen to exceed it. */
const CPU_SLACK_MS = 100;
const SCRATCH_BYTES = 256 * 2 ** 20;
/** A validator’s own cores, files and processes. */
const VALIDATOR_PIDS = 64;

export function runLimits(problem: Problem, timeMs: number, stopMs = 0): RunLimits {
  const interaction = problem.type.interactive ? WALL_SLACK_MS : 0;
  return {
    cpuMs: timeMs,
    stopMs: Math.max(stopMs, timeMs + CPU_SLACK_MS),
    wallMs: Math.max(stopMs, timeMs) * WALL_FACTOR + WALL_SLACK_MS + interaction,
    memoryBytes: problem.limits.memoryBytes,
    outputBytes: problem.limits.outputBytes,
  };
}

export function commandLimits(limits: RunLimits, pids: number): Partial<Limits> {
  return {
    cpuMs: Math.ceil(limits.stopMs),
    wallMs: Math.ceil(limits.wallMs),
    memoryBytes: limits.memoryBytes,
    outputBytes: limits.outputBytes,
    pids,
  };
}

/** The bounds of a session that compiles a submission and runs its tests. */
export function solutionSession(problem: Problem, limits: RunLimits): Limits {
  const { compilationMs, compilationMemoryBytes } = problem.limits;
  return {
    wallMs: Math.max(compilationMs, Math.ceil(limits.wallMs)),
    memoryBytes: Math.max(compilationMemoryBytes, limits.memoryBytes),
    pids: 256,
    outputBytes: Math.max(limits.outputBytes, 2 ** 20),
    fileBytes: SCRATCH_BYTES,
    diskBytes: SCRATCH_BYTES,
  };
}

/** @param dataBytes size of the validator's input, without its own files. */
export function validatorSession(problem: Problem, limits: RunLimits, dataBytes: number): Limits {
  const { limits: own } = problem;
  const bytes = SCRATCH_BYTES + dataBytes + own.validationOutputBytes;
  return {
    wallMs: Math.max(own.compilationMs, validatorWallMs(problem, limits)),
    memoryBytes: Math.max(own.compilationMemoryBytes, own.validationMemoryBytes),
    pids: 256,
    outputBytes: Math.max(own.validationOutputBytes, 2 ** 20),
    fileBytes: bytes,
    diskBytes: bytes,
  };
}

export function validatorLimits(problem: Problem, limits: RunLimits): Partial<Limits> {
  const { limits: own } = problem;
  return {
    cpuMs: own.validationMs,
    wallMs: validatorWallMs(problem, limits),
    memoryBytes: own.validationMemoryBytes,
    pids: VALIDATOR_PIDS,
    outputBytes: own.validationOutputBytes,
  };
}

/** An interactive validator waits for the submission as long as that may run. */
function validatorWallMs(problem: Problem, limits: RunLimits): number {
  const waiting = problem.type.interactive ? limits.wallMs : 0;
  return Math.ceil(problem.limits.validationMs + waiting + WALL_SLACK_MS);
}

export interface Ceilings {
  /** Memory that one command may be promised. */
  readonly memoryBytes: number;
  /** Longest run that the judge allows. */
  readonly timeMs: number;
}

/** The limits that this machine can promise: most of its memory, and ten minutes. */
export function machineCeilings(): Ceilings {
  return { memoryBytes: Math.floor(usableMemoryBytes() * 0.9), timeMs: 600_000 };
}

/** @throws SkeinError PROBLEM_LIMITS that names the limit. */
export function refuseDishonourable(problem: Problem, ceilings: Ceilings): void {
  const { limits } = problem;
  const memory = {
    memory: limits.memoryBytes,
    compilation_memory: limits.compilationMemoryBytes,
    validation_memory: limits.validationMemoryBytes,
  };
  for (const [key, bytes] of Object.entries(memory)) {
    if (bytes > ceilings.memoryBytes) {
      throw new SkeinError(
        'PROBLEM_LIMITS',
        `${problem.shortName}: limits.${key} is ${mebibytes(bytes)} MiB; this machine can promise ${mebibytes(ceilings.memoryBytes)} MiB.`,
      );
    }
  }
  const time = {
    time_limit: limits.timeMs ?? 0,
    compilation_time: limits.compilationMs,
    validation_time: limits.validationMs,
  };
  for (const [key, ms] of Object.entries(time)) {
    if (ms > ceilings.timeMs) {
      throw new SkeinError(
        'PROBLEM_LIMITS',
        `${problem.shortName}: limits.${key} is ${ms / 1000} s; the judge waits ${ceilings.timeMs / 1000} s at most.`,
      );
    }
  }
}
