/**
 * One command of a session, from its start to its ending.
 *
 * States: forked → (in its group) → started → ended. The supervisor stops it for wall time and
 * output; cpu time and out of memory are checked here when it has a group of its own, else by the
 * supervisor too.
 */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlGroup } from '../../cgroup/contract.ts';
import type { EndedBy, Ending, RunningCommand } from '../../contract.ts';
import type { AllLimits } from '../../command/limits.ts';
import type { Ended, Guest, RunSpec } from './supervisor.ts';

/** Longest time between two reads of a command's counters, in milliseconds. */
const WATCH_MS = 50;
/** How long a killed command may take to be reported dead before its container is removed, in milliseconds. */
const KILL_PATIENCE_MS = 400;

/** A forked child, and the account that it is in. */
export interface Prepared {
  readonly guest: Guest;
  /** Undefined where it shares the account of the container. */
  readonly group: Promise<ControlGroup | undefined>;
}

export interface RunOrder {
  readonly spec: RunSpec;
  readonly limits: AllLimits;
  /** Runs before the command starts its program. */
  readonly before: () => Promise<void>;
  /** Called before the promise of the ending resolves. */
  readonly over: () => void;
  /** Removes the container, when the supervisor does not answer. */
  readonly giveUp: () => Promise<void>;
  /** The error that a command ends with when its container is lost. */
  readonly lost: (reason: unknown) => Error;
}

export class Running implements RunningCommand {
  readonly stdin: RunningCommand['stdin'];
  readonly stdout: RunningCommand['stdout'];
  readonly stderr: RunningCommand['stderr'];
  readonly ended: Promise<Ending>;
  readonly #guest: Guest;
  readonly #order: RunOrder;
  #group: ControlGroup | undefined;
  #cause: EndedBy | undefined;
  #over = false;
  #started = false;
  #killed = false;

  constructor(prepared: Prepared, order: RunOrder, pipe: boolean) {
    this.#guest = prepared.guest;
    this.#order = order;
    this.stdin = pipe ? prepared.guest.stdin : undefined;
    this.stdout = prepared.guest.stdout;
    this.stderr = prepared.guest.stderr;
    this.ended = this.#run(prepared);
    this.ended.catch(() => undefined);
  }

  /** Call when it is over: resolves when no trace of it is left on the host. */
  buried: Promise<void> | undefined;

  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGUSR1'): void {
    if (!this.#over && this.#started) this.#guest.signal(constants.signals[signal]);
  }

  kill(): Promise<Ending> {
    if (!this.#killed && !this.#over) {
      this.#killed = true;
      this.#cause ??= 'killed';
      this.#stop();
      void this.#insist();
    }
    return this.ended;
  }

  async #run({ guest, group }: Prepared): Promise<Ending> {
    const startedAt = performance.now();
    try {
      this.#group = await group;
      this.#group?.limit(this.#order.limits);
      await this.#order.before();
      guest.onExited = () => void this.#sweep();
      if (this.#killed) guest.kill();
      guest.go(this.#order.spec);
      this.#started = true;
      if (this.#group !== undefined) void this.#watch(this.#group);
      const ended = await guest.done;
      this.#over = true;
      return this.#ending(ended);
    } catch (error) {
      this.#over = true;
      if (this.#killed) return this.#lostAfterKill(performance.now() - startedAt);
      throw this.#order.lost(error);
    } finally {
      this.#over = true;
      // The group of a dead command; if it cannot be removed now, it is removed with the driver.
      this.buried = this.#group?.remove().catch(() => undefined);
      this.#order.over();
    }
  }

  #stop(): void {
    this.#guest.kill();
    this.#group?.kill();
  }

  async #insist(): Promise<void> {
    await Promise.race([
      this.ended.catch(() => undefined),
      sleep(KILL_PATIENCE_MS, undefined, { ref: false }),
    ]);
    if (!this.#over) await this.#order.giveUp().catch(() => undefined);
  }

  /** Kills the processes that a command left when it ended while other commands ran. */
  async #sweep(): Promise<void> {
    while (this.#group !== undefined && this.#group.processes().length > 0) {
      this.#group.kill();
      await sleep(1);
    }
    this.#guest.swept();
  }

  /**
   * Ends the command when its group has used its cpu time, or when the kernel killed a process for
   * memory.
   */
  async #watch(group: ControlGroup): Promise<void> {
    const { cpuMs, cores } = this.#order.limits;
    for (;;) {
      const left = (cpuMs - group.cpuMs()) / Math.max(cores, 1);
      if (group.outOfMemoryKills() > 0) this.#cause ??= 'out-of-memory';
      else if (left <= 0) this.#cause ??= 'cpu-limit';
      if (this.#cause !== undefined) return this.#stop();
      await sleep(Math.min(WATCH_MS, Math.max(2, left)));
      if (this.#over) return;
    }
  }

  #ending(ended: Ended): Ending {
    const group = this.#group;
    // The kernel kills for lack of memory before any timer here fires, so that is the first cause.
    const starved = group !== undefined && group.outOfMemoryKills() > 0;
    const endedBy = starved ? 'out-of-memory' : (this.#cause ?? ended.endedBy);
    // For a command that was stopped, a shell's status about its child means nothing.
    const stopped = endedBy !== 'exit' && endedBy !== 'signal';
    return {
      endedBy,
      exitCode: stopped ? null : ended.exitCode,
      signal: stopped ? 'SIGKILL' : ended.signal === null ? null : signalName(ended.signal),
      usage: {
        cpuMs: group?.cpuMs() ?? ended.cpuMs ?? 0,
        wallMs: ended.wallMs,
        peakMemoryBytes: group?.peakMemoryBytes() ?? ended.peakMemoryBytes ?? 0,
        outputBytes: Math.min(ended.outputBytes, this.#order.limits.outputBytes),
      },
    };
  }

  #lostAfterKill(wallMs: number): Ending {
    const usage = { cpuMs: 0, wallMs, peakMemoryBytes: 0, outputBytes: 0 };
    return { endedBy: 'killed', exitCode: null, signal: 'SIGKILL', usage };
  }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `SIG${number}`;
}
