/**
 * Supervises one running command: enforces its limits of cpu time, wall time, memory and output,
 * and reports how it ended.
 *
 * Cpu time and out-of-memory kills are the kernel's counts; this only reads them, more often the
 * nearer a limit is. The first cause of an end is reported.
 */
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { ControlGroup } from '../cgroup/contract.ts';
import type { EndedBy, Ending } from '../contract.ts';
import { CountedStream } from './counted-stream.ts';
import type { AllLimits } from './limits.ts';

/** Longest time between two reads of the kernel's counts, in milliseconds. */
const SOONEST_MS = 4;
const LATEST_MS = 100;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The kernel's counts of a command. */
export type Counts = Pick<ControlGroup, 'cpuMs' | 'peakMemoryBytes' | 'outOfMemoryKills'>;

export interface Supervised {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Undefined when nothing is counted. */
  readonly group: Counts | undefined;
  /** Ends every process; may be called more than once. */
  kill(): void;
}

/**
 * When to read the counts next, in milliseconds: a command that keeps all its cores busy must not
 * get far past its limit.
 */
export function nextLookMs(
  usedMs: number,
  limitMs: number,
  cores: number,
  soonestMs = SOONEST_MS,
  latestMs = LATEST_MS,
): number {
  return Math.min(Math.max((limitMs - usedMs) / cores, soonestMs), latestMs);
}

/** The signal that a shell's exit status stands for; null for an exit. */
export function signalOf(status: number): string | null {
  const entry = Object.entries(constants.signals).find(([, number]) => number === status - 128);
  return entry?.[0] ?? null;
}

export class Supervision {
  /** Passes the command's output on; at most `outputBytes` of both streams together. */
  readonly stdout = new CountedStream((bytes) => this.#admit(bytes));
  readonly stderr = new CountedStream((bytes) => this.#admit(bytes));
  readonly #limits: AllLimits;
  #cause: EndedBy | undefined;
  #supervised: Supervised | undefined;
  #startedAt = 0;
  #outputBytes = 0;
  #wall: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;

  constructor(limits: AllLimits) {
    this.#limits = limits;
  }

  /** Whether the command is ended, or will be as soon as it begins. */
  get stopped(): boolean {
    return this.#cause !== undefined;
  }

  /** Call when the command starts to run. */
  begin(supervised: Supervised): void {
    this.#supervised = supervised;
    this.#startedAt = performance.now();
    this.stdout.attach(supervised.stdout);
    this.stderr.attach(supervised.stderr);
    const { wallMs } = this.#limits;
    if (wallMs < LONGEST_TIMER_MS) this.#wall = setTimeout(() => this.stop('wall-limit'), wallMs);
    this.#watch();
    if (this.#cause !== undefined) supervised.kill();
  }

  /** Ends the command. The first cause is kept, also one from before the start. */
  stop(cause: EndedBy): void {
    this.#cause ??= cause;
    this.#supervised?.kill();
  }

  /** Call once, when every process is dead. @param status as a shell has it: 128 + n is signal n. */
  async finish(status: number): Promise<Ending> {
    const wallMs = performance.now() - this.#startedAt;
    this.dispose();
    await Promise.all([this.stdout.settled(), this.stderr.settled()]);
    const group = this.#supervised?.group;
    this.#cause ??= this.#overstepped();
    const signal = this.#cause === undefined ? signalOf(status) : 'SIGKILL';
    return {
      endedBy: this.#cause ?? (signal === null ? 'exit' : 'signal'),
      exitCode: signal === null ? status : null,
      signal,
      usage: {
        cpuMs: group?.cpuMs() ?? 0,
        wallMs,
        peakMemoryBytes: group?.peakMemoryBytes() ?? 0,
        outputBytes: this.#outputBytes,
      },
    };
  }

  /** Stops the checks; also for a command that was never started. */
  dispose(): void {
    clearTimeout(this.#wall);
    clearTimeout(this.#look);
  }

  #admit(bytes: number): number {
    const admitted = Math.min(bytes, this.#limits.outputBytes - this.#outputBytes);
    this.#outputBytes += admitted;
    if (admitted < bytes) this.stop('output-limit');
    return admitted;
  }

  #watch(): void {
    const group = this.#supervised?.group;
    if (group === undefined || this.#cause !== undefined) return;
    const overstepped = this.#overstepped();
    if (overstepped !== undefined) return this.stop(overstepped);
    const { cpuMs, cores } = this.#limits;
    this.#look = setTimeout(() => this.#watch(), nextLookMs(group.cpuMs(), cpuMs, cores));
  }

  /** The limit that the command exceeds by the kernel's counts. */
  #overstepped(): EndedBy | undefined {
    const group = this.#supervised?.group;
    if (group === undefined) return undefined;
    if (group.outOfMemoryKills() > 0) return 'out-of-memory';
    return group.cpuMs() > this.#limits.cpuMs ? 'cpu-limit' : undefined;
  }
}
