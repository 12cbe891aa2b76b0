/** A session is one container; a command is one child of its supervisor. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api';
import type {
  CollectedFile,
  Command,
  Ending,
  RunningCommand,
  SandboxSession,
} from '../contract.ts';
import { checkWords, runToEnd } from '../command/command.ts';
import { tightened, type AllLimits } from '../command/limits.ts';
import type { Gate } from '../network/gate.ts';
import type { Accounts } from './container/account.ts';
import { WORKSPACE, type SandboxContainer } from './container/container.ts';
import {
  decodeFiles,
  encodeFiles,
  invalidPath,
  isInside,
  type PutFile,
} from './supervisor/file-stream.ts';
import { Running, type Prepared } from './supervisor/running.ts';
import type { Ended, Guest, Spec } from './supervisor/supervisor.ts';

const DEFAULT_ENV = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  HOME: '/tmp',
  LANG: 'C.UTF-8',
};

/** Programs of the driver move files fast; this only ends one that hangs, in milliseconds. */
const FILES_WALL_MS = 120_000;
/** Headers of collected files are not counted as their content. */
const HEADERS_BYTES = 64 * 1024 * 1024;
/**
 * Memory of a container that the supervisor and a forked child use when commands share its account,
 * in bytes.
 */
const SUPERVISOR_BYTES = 12 * 1024 * 1024;

export interface SessionParts {
  readonly container: SandboxContainer;
  readonly limits: AllLimits;
  /** Undefined when commands share the account of the container. */
  readonly accounts: Accounts | undefined;
  /** The proxy of an address list, when there is one. */
  readonly gate: Gate | undefined;
  readonly onClosed: () => void;
}

export class DockerSession implements SandboxSession {
  readonly workspace = WORKSPACE;
  readonly #container: SandboxContainer;
  readonly #limits: AllLimits;
  /** Undefined when commands share the account of the container. */
  readonly #accounts: Accounts | undefined;
  readonly #gate: Gate | undefined;
  readonly #onClosed: () => void;
  readonly #running = new Set<Running>();
  readonly #buried: Promise<void>[] = [];
  #spare: Prepared | undefined;
  #providedBytes = 0;
  #broken: Error | undefined;
  #closed: Promise<void> | undefined;

  constructor({ container, limits, accounts, gate, onClosed }: SessionParts) {
    this.#container = container;
    this.#limits = limits;
    this.#accounts = accounts;
    this.#gate = gate;
    this.#onClosed = onClosed;
    void container.supervisor.lost.then((reason) => (this.#broken ??= lost(reason)));
    this.#spare = this.#prepare();
  }

  /** Whether commands may run side by side: each has an account of its own. */
  get runsSideBySide(): boolean {
    return this.#accounts !== undefined;
  }

  async put(files: Iterable<PutFile>): Promise<void> {
    await this.#receive('put', files);
  }

  /** Writes files to a folder that a guest can only read; call before the first command. */
  async provide(files: readonly PutFile[]): Promise<void> {
    if (files.length === 0) return;
    this.#providedBytes = files.reduce((sum, { content }) => sum + content.length, 0);
    await this.#receive('provide', files);
  }

  start(command: Command): RunningCommand {
    if (this.#broken !== undefined) throw this.#broken;
    checkWords(command);
    const shared = this.#accounts === undefined;
    if (shared && this.#running.size > 0) throw oneAtATime();
    const limits = this.#tighten(command.limits);
    const prepared = this.#spare ?? this.#prepare();
    this.#spare = undefined;
    const running: Running = new Running(
      prepared,
      {
        spec: {
          work: 'run',
          argv: command.argv,
          env: { ...DEFAULT_ENV, ...this.#gate?.environment, ...command.env },
          cwd: command.cwd ?? WORKSPACE,
          writable: command.workspace === 'writable',
          wallMs: limits.wallMs,
          cpuMs: limits.cpuMs,
          outputBytes: limits.outputBytes,
          fileBytes: limits.fileBytes,
          stackBytes: limits.memoryBytes,
          shared,
        },
        limits,
        before: async () => {
          if (shared) await this.#container.bound(containerBounds(limits, this.#providedBytes));
        },
        over: () => this.#over(running),
        giveUp: () => this.#container.remove(),
        lost: (reason) => this.#broken ?? lost(reason),
      },
      command.stdin === 'pipe',
    );
    this.#running.add(running);
    feed(prepared.guest, command.stdin);
    void prepared.guest.done
      .then((ended) => {
        if (!ended.clean)
          this.#break(new Error('what a command left in /tmp could not be removed'));
      })
      .catch(() => undefined);
    return running;
  }

  async run(command: Command): Promise<Ending & { stdout: Uint8Array; stderr: Uint8Array }> {
    return await runToEnd(this.start(command), this.#limits.outputBytes);
  }

  async *collect(paths: readonly string[], maxBytes: number): AsyncIterable<CollectedFile> {
    for (const path of paths) if (!isInside(path)) throw invalidPath(path);
    await Promise.allSettled([...this.#running].map((running) => running.kill()));
    const guest = this.#fork();
    guest.stdin.end();
    guest.go({ work: 'collect', paths, ...filesSpec(maxBytes + HEADERS_BYTES) });
    const ended = this.#filesEnd(guest);
    const complaint = text(guest.stderr);
    try {
      yield* decodeFiles(guest.stdout, maxBytes);
      const { exitCode } = await ended;
      if (exitCode !== 0) throw new Error(`the workspace cannot be read: ${await complaint}`);
      const missing = readJson(await complaint, JSON_BOUNDS.stored) as string[];
      if (missing.length > 0) throw outputMissing(missing);
    } finally {
      guest.kill();
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#broken ??= new SkeinError('SANDBOX_LOST', 'The sandbox session is closed.');
    this.#gate?.close();
    for (const running of this.#running) void running.kill();
    const groups = this.#spare?.group;
    await Promise.allSettled([...this.#running].map((running) => running.ended));
    await this.#container.remove();
    await groups?.then((group) => group?.remove()).catch(() => undefined);
    await Promise.allSettled(this.#buried);
    this.#onClosed();
  }

  #over(running: Running): void {
    this.#running.delete(running);
    this.#buried.push(running.buried ?? Promise.resolve());
    // Fork the child of the next command now, so that it waits in its group.
    if (this.#running.size === 0 && this.#broken === undefined) this.#spare ??= this.#prepare();
  }

  /** Refuses further commands, which would find the leftovers of another one. */
  #break(reason: Error): void {
    this.#broken ??= lost(reason);
    void this.#container.remove(reason).catch(() => undefined);
  }

  #prepare(): Prepared {
    const guest = this.#container.supervisor.fork();
    const group = guest.forked.then((pid) => this.#accounts?.open(pid));
    group.catch(() => undefined);
    return { guest, group };
  }

  async #receive(work: 'put' | 'provide', files: Iterable<PutFile>): Promise<void> {
    const guest = this.#fork();
    guest.go({ work, ...filesSpec(4096) });
    const ended = this.#filesEnd(guest);
    const complaint = text(guest.stderr);
    guest.stdout.resume();
    try {
      await pipeline(Readable.from(encodeFiles(files), { objectMode: false }), guest.stdin);
    } catch (error) {
      if (error instanceof SkeinError) {
        guest.kill();
        await ended;
        throw error;
      }
      // It has ended early, and stderr has the reason.
    }
    if ((await ended).exitCode !== 0) {
      const why = (await complaint).trim();
      throw new SkeinError('REQUEST_INVALID', `The files cannot be put into the sandbox: ${why}`);
    }
  }

  #fork(): Guest {
    if (this.#broken !== undefined) throw this.#broken;
    return this.#container.supervisor.fork();
  }

  async #filesEnd(guest: Guest): Promise<Ended> {
    try {
      return await guest.done;
    } catch (error) {
      throw this.#broken ?? lost(error);
    }
  }

  #tighten(limits: Command['limits']): AllLimits {
    const tight = tightened(this.#limits, limits);
    if (tight.diskBytes < this.#limits.diskBytes) {
      throw new SkeinError(
        'SANDBOX_UNSUPPORTED',
        'The docker sandbox bounds the disk of a session, not of one command; open a session with that limit.',
      );
    }
    return tight;
  }
}

/** Limits of a container whose account the command shares with the supervisor. */
function containerBounds(
  limits: AllLimits,
  providedBytes: number,
): { memoryBytes: number; pids: number; cores: number } {
  return {
    memoryBytes: limits.memoryBytes + SUPERVISOR_BYTES + providedBytes,
    pids: limits.pids + 1,
    cores: limits.cores ?? 1,
  };
}

function filesSpec(outputBytes: number): Pick<Spec, 'wallMs' | 'outputBytes'> & { shared: false } {
  return { wallMs: FILES_WALL_MS, outputBytes, shared: false };
}

function feed(guest: Guest, stdin: Command['stdin']): void {
  if (stdin === 'pipe') return;
  if (stdin === undefined) guest.stdin.end();
  else if (stdin instanceof Uint8Array) guest.stdin.end(stdin);
  else pipeline(stdin, guest.stdin).catch(() => undefined);
}

function outputMissing(paths: readonly string[]): SkeinError {
  const names = paths.map((path) => JSON.stringify(path)).join(', ');
  return new SkeinError(
    'SANDBOX_OUTPUT_MISSING',
    `The command left no regular file or directory at ${names}.`,
  );
}

function lost(reason: unknown): SkeinError {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new SkeinError('SANDBOX_LOST', `The sandbox is gone: ${why}.`, { cause: reason });
}

function oneAtATime(): SkeinError {
  return new SkeinError(
    'SANDBOX_UNSUPPORTED',
    'Commands of one session can run side by side only where the node is root on the machine of the Docker daemon; open two sessions.',
  );
}

async function text(stream: Readable): Promise<string> {
  return Buffer.concat(await stream.toArray()).toString();
}
