/**
 * Watches over one running command: keeps its limits of cpu time, wall time, memory and output, and
 * says how it ended.
 *
 * Cpu time and out-of-memory kills are the kernel's counts; this only looks at them, the more often
 * the nearer a limit is. The first cause of an end is the one that counts.
 */
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { ControlGroup } from './cgroup/contract.ts';
import type { EndedBy, Ending } from './contract.ts';
import { CountedStream } from './counted-stream.ts';
import type { AllLimits } from './limits.ts';

/** Between two looks at the kernel's counts, in milliseconds. */
const SOONEST_MS = 4;
const LATEST_MS = 100;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What is supervised. */
export interface Supervised {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Undefined where nothing is counted. */
  readonly group: ControlGroup | undefined;
  /** Ends every process; may be called more than once. */
  kill(): void;
}

/**
 * When to look next, in milliseconds: a command that keeps all its cores busy must not get far
 * past its limit unseen.
 */
export function nextLookMs(usedMs: number, limitMs: number, cores: number): number {
  return Math.min(Math.max((limitMs - usedMs) / cores, SOONEST_MS), LATEST_MS);
}

/** The signal that a shell's exit status stands for; null for an exit. */
export function signalOf(status: number): string | null {
  const entry = Object.entries(constants.signals).find(([, number]) => number === status - 128);
  return entry?.[0] ?? null;
}

export class Supervision {
  /** What passes of the command's output; at most `outputBytes` together. */
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

  /** Whether something has ended it, or will as soon as it begins. */
  get stopped(): boolean {
    return this.#cause !== undefined;
  }

  /** The command runs from now on. */
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

  /** Ends the command. The first cause is kept; also one from before it began. */
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

  /** Stops looking; for a command that never came to its end, too. */
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

  /** What the kernel's counts hold against the command. */
  #overstepped(): EndedBy | undefined {
    const group = this.#supervised?.group;
    if (group === undefined) return undefined;
    if (group.outOfMemoryKills() > 0) return 'out-of-memory';
    return group.cpuMs() > this.#limits.cpuMs ? 'cpu-limit' : undefined;
  }
}
