/**
 * The node's side of the supervisor that is process 1 of a sandbox container (main.py):
 * one stream of frames, many commands.
 *
 * The node never blocks on a guest: input that a guest does not read stays in a window of 256 KiB,
 * and output that the caller does not read blocks the guest.
 */
import { readFileSync } from 'node:fs';
import { Readable, Writable, type Duplex } from 'node:stream';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { orderFrame, ReportReader, type Order, type ReportFrame } from './frames.ts';
import type { EndedBy } from '../../contract.ts';

/** Bytes of one stream that may be on their way; the same number is in command.py. */
const WINDOW_BYTES = 256 * 1024;
const STDIN_CHUNK_BYTES = 64 * 1024;

const PARTS = ['counters', 'guest', 'files', 'command', 'main'];

/** The supervisor's program, for `python3 -c`. */
export function supervisorSource(): string {
  return PARTS.map((part) => readFileSync(new URL(`${part}.py`, import.meta.url), 'utf8')).join(
    '\n\n',
  );
}

/** A command, as it is sent to the supervisor. */
export interface RunSpec {
  readonly work: 'run';
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly writable: boolean;
  /** `Infinity`, which JSON makes null, means no limit; the same for all limits. */
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly outputBytes: number;
  readonly fileBytes: number;
  readonly stackBytes: number;
  /**
   * Whether it shares the account of the container, because the node could not make it one of its
   * own.
   */
  readonly shared: boolean;
}

/** Work on files, done by the supervisor's own program as the guest's user. */
interface FilesSpec {
  readonly wallMs: number;
  readonly outputBytes: number;
  readonly shared: false;
}

export type Spec =
  | RunSpec
  | (FilesSpec & { readonly work: 'put' | 'provide' })
  | (FilesSpec & { readonly work: 'collect'; readonly paths: readonly string[] });

/** How it ended, as the supervisor reports it. */
export interface Ended {
  readonly endedBy: EndedBy;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly wallMs: number;
  readonly outputBytes: number;
  /** Whether /tmp and /dev/shm are empty again. */
  readonly clean: boolean;
  /** Only of a command that shared the account of the container. */
  readonly cpuMs?: number;
  readonly peakMemoryBytes?: number;
}

export class Supervisor {
  /** Resolves when commands can be prepared. */
  readonly ready: Promise<void>;
  /**
   * Resolves, with the reason, when the supervisor is gone: every command of it is dead or lost.
   */
  readonly lost: Promise<Error>;
  readonly #stream: Duplex;
  readonly #reader = new ReportReader();
  readonly #guests = new Map<number, Guest>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #lost = Promise.withResolvers<Error>();
  #gone: Error | undefined;
  #last = 0;

  /** @param stream frames in both directions. */
  constructor(stream: Duplex) {
    this.#stream = stream;
    this.ready = this.#ready.promise;
    this.lost = this.#lost.promise;
    // An unhandled rejection would end the process; callers get the error from their own promises.
    this.ready.catch(() => undefined);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error) => this.end(error));
    stream.on('close', () => this.end(new Error('the connection to the sandbox ended')));
    stream.on('end', () => this.end(new Error('the sandbox ended')));
  }

  get isAlive(): boolean {
    return this.#gone === undefined;
  }

  /** Forks a process that waits for its program. */
  fork(): Guest {
    const guest = new Guest(++this.#last, (kind, command, payload) =>
      this.#send(kind, command, payload),
    );
    if (this.#gone === undefined) {
      this.#guests.set(guest.number, guest);
      this.#send('prepare', guest.number);
    } else {
      guest.lose(this.#gone);
    }
    return guest;
  }

  /** Gives up on the supervisor. */
  end(reason: Error): void {
    if (this.#gone !== undefined) return;
    this.#gone = reason;
    for (const guest of this.#guests.values()) guest.lose(reason);
    this.#guests.clear();
    this.#ready.reject(reason);
    this.#lost.resolve(reason);
    this.#stream.destroy();
  }

  #send(kind: Order, command: number, payload?: Uint8Array): void {
    if (this.#gone === undefined) this.#stream.write(orderFrame(kind, command, payload));
  }

  #receive(chunk: Buffer): void {
    let frames: ReportFrame[];
    try {
      frames = this.#reader.push(chunk);
    } catch (error) {
      return this.end(error as Error);
    }
    for (const frame of frames) {
      if (frame.kind === 'ready') {
        // A frame for no command: it notifies the supervisor that the node is alive.
        this.#send('swept', 0);
        this.#ready.resolve();
      }
      const guest = this.#guests.get(frame.command);
      if (frame.kind === 'done') this.#guests.delete(frame.command);
      guest?.handle(frame);
    }
  }
}

/** One process in the container, from its fork to its end. */
export class Guest {
  readonly number: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves with its process id in the container. */
  readonly forked: Promise<number>;
  /** Resolves when the supervisor has reported its end. */
  readonly done: Promise<Ended>;
  /**
   * Called when the program has ended while others run, so that the supervisor cannot kill its
   * remaining processes.
   */
  onExited: (() => void) | undefined;
  readonly #send: (kind: Order, command: number, payload?: Uint8Array) => void;
  readonly #forked = Promise.withResolvers<number>();
  readonly #done = Promise.withResolvers<Ended>();
  /** Bytes of stdin that may still be sent. */
  #window = WINDOW_BYTES;
  #blocked: (() => void) | undefined;

  constructor(number: number, send: (kind: Order, command: number, payload?: Uint8Array) => void) {
    this.number = number;
    this.#send = send;
    this.forked = this.#forked.promise;
    this.done = this.#done.promise;
    this.forked.catch(() => undefined);
    this.done.catch(() => undefined);
    this.stdout = this.#output(0);
    this.stderr = this.#output(1);
    this.stdin = new Writable({
      highWaterMark: STDIN_CHUNK_BYTES,
      write: (chunk: Buffer, _encoding, next) => this.#feed(chunk, next),
      final: (next) => {
        this.#send('stdin-end', this.number);
        next();
      },
      destroy: (error, next) => {
        this.#send('stdin-end', this.number);
        next(error);
      },
    });
    // A guest that ends without reading its stdin is not an error of the writer.
    this.stdin.on('error', () => undefined);
  }

  go(spec: Spec): void {
    this.#send('go', this.number, Buffer.from(JSON.stringify(spec)));
  }

  signal(number: number): void {
    this.#send('signal', this.number, Buffer.of(number));
  }

  kill(): void {
    this.#send('kill', this.number);
  }

  /** Notifies the supervisor that no process is left of a command that ended while others run. */
  swept(): void {
    this.#send('swept', this.number);
  }

  handle({ kind, payload }: ReportFrame): void {
    if (kind === 'forked') this.#forked.resolve(payload.readUInt32BE(0));
    else if (kind === 'stdout') this.stdout.push(payload);
    else if (kind === 'stderr') this.stderr.push(payload);
    else if (kind === 'exited') this.onExited?.();
    else if (kind === 'stdin-ack') {
      this.#window += payload.readUInt32BE(0);
      this.#blocked?.();
    } else if (kind === 'done') {
      this.#end();
      this.#done.resolve(readJson(payload.toString(), JSON_BOUNDS.frame) as Ended);
    }
  }

  /** The container is lost. */
  lose(reason: Error): void {
    this.#end();
    this.#forked.reject(reason);
    this.#done.reject(reason);
  }

  #end(): void {
    this.stdout.push(null);
    this.stderr.push(null);
    this.#window = Number.POSITIVE_INFINITY;
    this.#blocked?.();
    this.stdin.destroy();
  }

  #output(which: 0 | 1): Readable {
    let unread = 0;
    const acknowledge = (): void => {
      const taken = unread - stream.readableLength;
      if (taken <= 0) return;
      unread -= taken;
      const payload = Buffer.alloc(5);
      payload.writeUInt8(which, 0);
      payload.writeUInt32BE(taken, 1);
      this.#send('ack', this.number, payload);
    };
    const stream = new Readable({
      highWaterMark: WINDOW_BYTES,
      // This runs before the reader takes the chunk whose place allowed this call: continue in the
      // next tick.
      read: () => process.nextTick(acknowledge),
    });
    const push = stream.push.bind(stream);
    stream.push = (chunk: Buffer | null): boolean => {
      if (chunk !== null) unread += chunk.length;
      return push(chunk);
    };
    return stream;
  }

  #feed(chunk: Buffer, next: (error?: Error | null) => void): void {
    let at = 0;
    const step = (): void => {
      while (at < chunk.length && this.#window > 0) {
        const part = chunk.subarray(at, at + Math.min(STDIN_CHUNK_BYTES, this.#window));
        at += part.length;
        this.#window -= part.length;
        this.#send('stdin', this.number, part);
      }
      const finished = at >= chunk.length;
      this.#blocked = finished ? undefined : step;
      if (finished) next();
    };
    step();
  }
}
