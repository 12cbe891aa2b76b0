/**
 * Calls over a pair of ports. Each side may serve functions, and call the other's functions.
 *
 *   caller                          callee
 *   CALL id name argument    ────▶  runs the function
 *                            ◀────  VALUE id value, or ERROR id error; a stream: ITEM id item before
 *   MORE id count            ────▶  the stream may send so many items more
 *   CANCEL id                ────▶  aborts the signal of the function, and confirms with VALUE
 *
 * An id belongs to the side that calls. Calls run concurrently where their functions do; they start
 * in the order in which they were sent.
 */
import { fromWire, toWire, type ErrorClass, type WireError } from './errors.ts';

/** Context that a function receives with its argument. */
export interface CallContext {
  /** Aborted when the caller cancels the call, or has ended. */
  readonly signal: AbortSignal;
}

/** Functions of one argument, by name. One that returns an async iterable is a stream. */
export type Served = Readonly<Record<string, (argument: never, context: CallContext) => unknown>>;

export interface CallOptions {
  /** Cancels: the call rejects at once with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whether a cancelled call rejects only when the callee has confirmed it, or has ended. */
  readonly confirm?: boolean;
  /** Buffers that move to the callee; a child process receives copies. */
  readonly transfer?: readonly ArrayBuffer[];
}

/** The other side's functions. */
export interface Calls<S extends Served> {
  /** @throws the error of the function; WorkerLost when the other side ends before it answers. */
  readonly call: <Name extends keyof S & string>(
    name: Name,
    argument: Parameters<S[Name]>[0],
    options?: CallOptions,
  ) => Promise<Awaited<ReturnType<S[Name]>>>;
  /** Begins when it is iterated, and is cancelled when the iteration ends early. */
  readonly stream: <Name extends keyof S & string>(
    name: Name,
    argument: Parameters<S[Name]>[0],
    options?: CallOptions,
  ) => ReturnType<S[Name]> extends AsyncIterable<infer Item> ? AsyncGenerator<Item, void> : never;
}

const CALL = 0;
const VALUE = 1;
const ERROR = 2;
const ITEM = 3;
const MORE = 4;
const CANCEL = 5;

/** Tuples of numbers: named fields cost another microsecond of the 27 that a run takes. */
export type Message =
  | readonly [kind: typeof CALL, id: number, name: string, argument: unknown]
  | readonly [kind: typeof VALUE, id: number, value: unknown]
  | readonly [kind: typeof ERROR, id: number, error: WireError]
  | readonly [kind: typeof ITEM, id: number, item: unknown]
  | readonly [kind: typeof MORE, id: number, count: number]
  | readonly [kind: typeof CANCEL, id: number];

/** Whether a message belongs to a call of the receiver. */
export function isAnswer([kind]: Message | string): boolean {
  return kind === VALUE || kind === ERROR || kind === ITEM;
}

/** The error that its caller receives in place of an answer, where a message could not be sent. */
export function refusalOf(message: Message, error: unknown): Message {
  return [ERROR, message[1], toWire(error)];
}

export interface Link {
  /** Functions for the other side. */
  readonly serves: Served;
  /** Classes that errors of the other side keep. */
  readonly errors: readonly ErrorClass[];
  /** @throws when the message cannot be cloned, or a buffer has moved before. */
  send(message: Message, transfer: readonly ArrayBuffer[]): void;
  /** Called when the first call is sent, and when none is in flight any more. */
  onBusy?(busy: boolean): void;
  /** Milliseconds in which a cancellation must be confirmed, else `onStuck` is called. */
  readonly stuckAfterMs?: number | undefined;
  onStuck?(): void;
}

export interface Connection<S extends Served> extends Calls<S> {
  readonly receive: (message: Message) => void;
  /** Aborts the functions that run, and calls back when they have ended. */
  readonly finish: (then: () => void) => void;
  /** Rejects later calls, and ignores what arrives. */
  readonly close: (error: Error) => void;
  /** The other side has ended: rejects the calls in flight too. */
  readonly end: (error: Error) => void;
}

/** Items that a stream may be ahead of its reader. */
const WINDOW = 32;
const NONE: readonly ArrayBuffer[] = [];

class Moved {
  readonly value: unknown;
  readonly transfer: readonly ArrayBuffer[];
  constructor(value: unknown, transfer: readonly ArrayBuffer[]) {
    this.value = value;
    this.transfer = transfer;
  }
}

/**
 * A result, or an item of a stream, whose buffers move to the caller. Typed as the value for the
 * sake of the caller; it is for the connection alone.
 */
export function moving<Value extends object>(
  value: Value,
  transfer: readonly ArrayBuffer[],
): Value {
  return new Moved(value, transfer) as unknown as Value;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly item?: (item: unknown) => void;
}

/** A function that runs; most never read their signal, so it is made on demand. */
class Running implements CallContext {
  #controller: AbortController | undefined;
  /** Items that the caller still accepts. */
  credit = WINDOW;
  onCredit: (() => void) | undefined;
  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }
  abort(reason?: unknown): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
    this.onCredit?.();
  }
}

export function connect<S extends Served>(link: Link): Connection<S> {
  const waiting = new Map<number, Waiting>();
  /** Bounds of cancellations that are not confirmed. */
  const cancelled = new Map<number, NodeJS.Timeout>();
  const running = new Map<number, Running>();
  /** Functions that have not ended; cancelled ones are not in `running`. */
  let executing = 0;
  let onIdle: (() => void) | undefined;
  let lastId = 0;
  let ended: Error | undefined;

  // The side of the caller.

  function begin(name: string, argument: unknown, options: CallOptions, waiter: Waiting): number {
    if (ended !== undefined) throw ended;
    options.signal?.throwIfAborted();
    const id = ++lastId;
    link.send([CALL, id, name, argument], options.transfer ?? NONE);
    if (waiting.size === 0) link.onBusy?.(true);
    waiting.set(id, waiter);
    return id;
  }
  function take(id: number): Waiting | undefined {
    if (cancelled.size > 0) {
      clearTimeout(cancelled.get(id));
      cancelled.delete(id);
    }
    const waiter = waiting.get(id);
    if (waiter !== undefined) {
      waiting.delete(id);
      if (waiting.size === 0) link.onBusy?.(false);
    }
    return waiter;
  }
  function cancel(id: number, reason: unknown, confirm = false): void {
    if (!waiting.has(id)) return;
    if (!confirm) take(id)?.reject(reason);
    const { stuckAfterMs } = link;
    if (stuckAfterMs !== undefined) {
      cancelled.set(id, setTimeout(() => link.onStuck?.(), stuckAfterMs).unref());
    }
    link.send([CANCEL, id], NONE);
  }
  function call(name: string, argument: unknown, options: CallOptions = {}): Promise<unknown> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal === undefined) {
        begin(name, argument, options, { resolve, reject });
        return;
      }
      const abort = (): void => cancel(id, signal.reason, options.confirm);
      const settled = (settle: (outcome: unknown) => void) => (outcome: unknown) => {
        signal.removeEventListener('abort', abort);
        settle(outcome);
      };
      const id = begin(name, argument, options, {
        resolve: settled((value) => (signal.aborted ? reject(signal.reason) : resolve(value))),
        reject: settled(reject),
      });
      signal.addEventListener('abort', abort);
    });
  }
  async function* stream(
    name: string,
    argument: unknown,
    options: CallOptions = {},
  ): AsyncGenerator<unknown, void> {
    const { signal } = options;
    const items: unknown[] = [];
    let changed = Promise.withResolvers<void>();
    let outcome: { readonly failure?: unknown } | undefined;
    const end = (how: { readonly failure?: unknown }): void => {
      outcome = how;
      changed.resolve();
    };
    const id = begin(name, argument, options, {
      resolve: () => end({}),
      reject: (failure) => end({ failure }),
      item(item) {
        items.push(item);
        changed.resolve();
      },
    });
    const abort = (): void => {
      items.length = 0;
      cancel(id, signal!.reason);
    };
    signal?.addEventListener('abort', abort);
    let taken = 0;
    try {
      for (;;) {
        while (items.length > 0) {
          yield items.shift();
          if (++taken < WINDOW / 2) continue;
          if (outcome === undefined) link.send([MORE, id, taken], NONE);
          taken = 0;
        }
        if (outcome !== undefined) {
          if ('failure' in outcome) throw outcome.failure;
          return;
        }
        await changed.promise;
        changed = Promise.withResolvers();
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      cancel(id, undefined);
    }
  }

  // The side of the callee.

  function run(id: number, name: string, argument: unknown): void {
    const context = new Running();
    running.set(id, context);
    try {
      if (!Object.hasOwn(link.serves, name)) {
        throw new TypeError(`No function "${name}" is served.`);
      }
      const returned = link.serves[name]!(argument as never, context);
      if (returned instanceof Promise) execute(id, returned);
      else if (isStream(returned)) execute(id, pour(id, context, returned));
      else answer(id, returned);
    } catch (error) {
      refuse(id, error);
    }
  }
  function execute(id: number, work: Promise<unknown>): void {
    executing++;
    work.then(
      (value) => {
        answer(id, value);
        if (--executing === 0) onIdle?.();
      },
      (error: unknown) => {
        refuse(id, error);
        if (--executing === 0) onIdle?.();
      },
    );
  }
  function answer(id: number, value: unknown): void {
    if (!running.has(id)) return;
    try {
      if (value instanceof Moved) link.send([VALUE, id, value.value], value.transfer);
      else link.send([VALUE, id, value], NONE);
      running.delete(id);
    } catch (error) {
      refuse(id, error);
    }
  }
  function refuse(id: number, error: unknown): void {
    if (running.delete(id)) link.send([ERROR, id, toWire(error)], NONE);
  }
  async function pour(id: number, context: Running, items: AsyncIterable<unknown>): Promise<void> {
    for await (const item of items) {
      while (context.credit === 0 && running.has(id)) {
        await new Promise<void>((resolve) => (context.onCredit = resolve));
      }
      if (!running.has(id)) return;
      context.credit--;
      if (item instanceof Moved) link.send([ITEM, id, item.value], item.transfer);
      else link.send([ITEM, id, item], NONE);
    }
  }

  function receive(message: Message): void {
    if (ended !== undefined) return;
    const [kind, id] = message;
    if (kind === CALL) run(id, message[2], message[3]);
    else if (kind === VALUE) take(id)?.resolve(message[2]);
    else if (kind === ITEM) waiting.get(id)?.item?.(message[2]);
    else if (kind === ERROR) take(id)?.reject(fromWire(message[2], link.errors));
    else {
      const context = running.get(id);
      if (context === undefined) return;
      if (kind === MORE) {
        context.credit += message[2];
        context.onCredit?.();
      } else {
        running.delete(id);
        link.send([VALUE, id, undefined], NONE);
        context.abort();
      }
    }
  }
  function finish(then: () => void): void {
    onIdle = then;
    for (const context of running.values()) context.abort();
    if (executing === 0) then();
  }
  function close(error: Error): void {
    ended ??= error;
  }
  function end(error: Error): void {
    close(error);
    const left = [...waiting.values()];
    waiting.clear();
    for (const timer of cancelled.values()) clearTimeout(timer);
    for (const context of running.values()) context.abort(error);
    running.clear();
    for (const { reject } of left) reject(error);
  }

  return { call, stream, receive, finish, close, end } as unknown as Connection<S>;
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
