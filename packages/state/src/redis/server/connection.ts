/**
 * Running server-side functions on a Redis that may go away.
 *
 * A call waits a moment for a connection that is being restored, and is sent again when the
 * connection was lost under it: every script gives the same answer to the same call sent twice.
 * After `PATIENCE_MS` it fails with STORE_UNREACHABLE, which is retryable; no acknowledged change
 * is lost. A change that was sent and not acknowledged may still happen, and the error reports it.
 *
 * The first call of a turn of the event loop goes at once, so that Redis works while this process
 * does; the rest of the turn's calls share a round trip.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, type ErrorCode, SkeinError } from '@skein/api/errors';
import { Redis, type RedisOptions } from 'ioredis';
import { loadLibrary, type Functions } from './library.ts';

export type { Effect, Functions } from './library.ts';

/** The longest that a call waits for Redis, retries included, in milliseconds. */
export const PATIENCE_MS = 3000;
/** The longest that one answer may take before the connection counts as dead, in milliseconds. */
const ANSWER_MS = 10_000;
/** The first wait before a connection is tried again, and the longest, in milliseconds. */
const RECONNECT_MS = { first: 100, longest: 1000 };

/** The wait after a reply that a server gives while it starts or fails over, in milliseconds. */
const PASSING_MS = 100;

/** Waits grow, and differ between the processes that lost the same server. */
export function reconnectAfter(tries: number): number {
  return Math.min(RECONNECT_MS.longest, RECONNECT_MS.first * tries) * (0.5 + Math.random());
}

export interface Connection<Name extends string> {
  /**
   * @param again made anew for each try: a call sent a second time may have to be marked so.
   * @throws SkeinError STORE_UNREACHABLE, STORE_DENIED, STORAGE_FULL, STORE_TOO_OLD, and what the script refuses.
   */
  run(
    name: Name,
    args: (again: boolean) => readonly (string | number | Buffer)[],
  ): Promise<unknown>;
  /** The answer with its strings as bytes. */
  runBytes(name: Name, args: readonly (string | number | Buffer)[]): Promise<unknown>;
  /** The name of the server-side function. */
  nameOf(name: Name): string;
  /** Commands without a script. */
  readonly redis: Redis;
  /** A connection of its own, for subscriptions and blocking reads. */
  another(): Redis;
  close(): Promise<void>;
}

interface Waiting<Name extends string> {
  readonly name: Name;
  readonly args: readonly (string | number | Buffer)[];
  readonly bytes: boolean;
  readonly answer: PromiseWithResolvers<unknown>;
}

export const isReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';
/** A script's refusal; Redis adds where in the script it was. */
const REFUSAL = /^SKEIN ([A-Z_]+) (.*?)(?: script: .*)?$/s;

/** @returns the coded error of a script's `SKEIN CODE text`; undefined for another error. */
function refusalOf(error: Error): SkeinError | undefined {
  const [, code = '', text = ''] = REFUSAL.exec(error.message) ?? [];
  return code in ERRORS ? new SkeinError(code as ErrorCode, text, { cause: error }) : undefined;
}

/** Replies of a server that is starting or failing over. */
const PASSING = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY)/;

/** @throws SkeinError USAGE where this and every later call would fail, or where ioredis would end the process. */
function checkAddress(url: string): void {
  const parsed = URL.parse(url);
  // The address may contain a password.
  if (parsed === null || parsed.hostname === '') {
    throw new SkeinError('USAGE', 'The address of Redis is not of the form redis://HOST:PORT.');
  }
  if (!/^\/?\d*$/.test(parsed.pathname)) {
    const message = `The address of Redis ends with ${JSON.stringify(parsed.pathname)}, which is not the number of a database, such as /0.`;
    throw new SkeinError('USAGE', message);
  }
}

/** @throws SkeinError USAGE. */
export function connect<Name extends string>(
  url: string,
  prefix: string,
  functions: Functions<Name>,
): Connection<Name> {
  checkAddress(url);
  const library = loadLibrary(functions);
  const options: RedisOptions = {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // ioredis does not wait for the answer to this command: closing in the middle of it would end
    // the process.
    autoResubscribe: false,
    // A lost connection fails the calls that were under way; `insist` sends them again.
    maxRetriesPerRequest: 0,
    retryStrategy: reconnectAfter,
    connectTimeout: ANSWER_MS,
  };
  const open = (more: RedisOptions = {}) => {
    const redis = new Redis(url, { ...options, ...more, replyMapping: 'legacy' });
    // Each call reports the error to its caller; an error event without a listener would end the
    // process.
    redis.on('error', () => {});
    return redis;
  };
  const redis = open({ commandTimeout: ANSWER_MS });
  /** Why there is no connection, such as a wrong password. */
  let trouble: string | undefined;
  redis.on('error', ({ message }: Error) => (trouble = message));
  redis.on('ready', () => (trouble = undefined));
  /** Why the server refuses the database of the address; ioredis continues with database 0. */
  let refusal: string | undefined;
  redis.on('error', (error: Error & { command?: { name?: string } }) => {
    if (isReply(error) && error.command?.name === 'select') refusal = error.message;
  });
  redis.on('close', () => (refusal = undefined));
  const ready = readiness(redis);
  const others: Redis[] = [];
  /**
   * The later calls of this turn of the event loop; undefined before its first call, which is sent
   * at once.
   */
  let waiting: Waiting<Name>[] | undefined;
  let closed = false;

  let loading: Promise<unknown> | undefined;
  /** Loads the library, which a new or emptied server does not have. */
  function loadOnce(): Promise<unknown> {
    loading ??= redis
      .function('LOAD', 'REPLACE', library.source)
      .catch((error: unknown) => {
        if (isReply(error)) throw isDenial(error) ? denied(url, error) : error;
      })
      .finally(() => {
        loading = undefined;
      });
    return loading;
  }

  /**
   * In one write. ioredis has pipelines for that, but V8 keeps each, with its calls and answers, until a
   * full collection: each defines a property of its own. Those pauses were the longest waits of jobs.
   */
  function sendAll(calls: readonly Waiting<Name>[]): void {
    redis.stream.cork();
    for (const { name, args, bytes, answer } of calls) {
      const script = library.nameOf(name);
      const reply = bytes
        ? redis.callBuffer('FCALL', script, 1, prefix, ...args)
        : redis.call('FCALL', script, 1, prefix, ...args);
      reply.then(answer.resolve, answer.reject);
    }
    redis.stream.uncork();
  }

  function send(name: Name, args: Waiting<Name>['args'], bytes: boolean): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    const call = { name, args, bytes, answer };
    if (waiting) {
      waiting.push(call);
    } else {
      const rest: Waiting<Name>[] = [];
      waiting = rest;
      setImmediate(() => {
        waiting = undefined;
        sendAll(rest);
      });
      sendAll([call]);
    }
    return answer.promise;
  }

  async function insist(
    name: Name,
    args: (again: boolean) => Waiting<Name>['args'],
    bytes: boolean,
  ): Promise<unknown> {
    const until = performance.now() + PATIENCE_MS;
    /** Redis may still run a call that it has received, even after this side has given up. */
    let isSent = false;
    for (let tries = 0; ; tries += 1) {
      const wasSent: boolean = isSent;
      if (closed) {
        const message = 'The store has been closed.';
        throw new SkeinError('NODE_DRAINING', message, { retryAfterMs: Infinity });
      }
      try {
        await ready(until);
        if (refusal !== undefined) throw unusable(url, refusal);
        isSent ||= functions.effects[name] !== 'reads';
        return await send(name, args(tries > 0), bytes);
      } catch (error) {
        if (isReply(error) && error.message.includes('Function not found')) {
          await loadOnce();
          continue;
        }
        if (isReply(error) && error.message.startsWith('ERR unknown command')) {
          throw await tooOld(redis, where(url), error);
        }
        if (isReply(error) && /^(OOM|MISCONF)/.test(error.message)) {
          throw new SkeinError('STORAGE_FULL', `Redis takes no more: ${error.message}`, {
            cause: error,
          });
        }
        if (isDenial(error)) throw denied(url, error);
        if (isReply(error) && !PASSING.test(error.message)) throw refusalOf(error) ?? error;
        if (error instanceof SkeinError) throw error;
        let why = trouble;
        if (isReply(error)) {
          // Redis has refused this try before it ran.
          isSent = wasSent;
          why = error.message;
          await sleep(PASSING_MS * (0.5 + Math.random()));
        }
        if (performance.now() >= until) throw unusable(url, why, { cause: error, isSent });
      }
    }
  }

  return {
    redis,
    nameOf: library.nameOf,
    run: (name, args) => insist(name, args, false),
    runBytes: (name, args) => insist(name, () => args, true),
    another() {
      const other = open({ enableOfflineQueue: true });
      others.push(other);
      return other;
    },
    async close() {
      closed = true;
      for (const other of others) other.disconnect();
      redis.disconnect();
    },
  };
}

function unusable(
  url: string,
  trouble: string | undefined,
  { cause, isSent = false }: { readonly cause?: unknown; readonly isSent?: boolean } = {},
): SkeinError {
  const what =
    trouble === undefined ? 'does not answer' : `cannot be used: ${trouble.replace(/\.+$/, '')}`;
  const later = isSent ? ' The change was sent, and may still happen.' : '';
  return new SkeinError('STORE_UNREACHABLE', `Redis at ${where(url)} ${what}.${later}`, {
    cause,
    retryAfterMs: 1000,
  });
}

/** The user of the address lacks a right. */
const isDenial = (error: unknown): error is Error =>
  isReply(error) && error.message.startsWith('NOPERM');

function denied(url: string, cause: Error): SkeinError {
  return new SkeinError('STORE_DENIED', `Redis at ${where(url)}: ${cause.message}.`, { cause });
}

async function tooOld(redis: Redis, at: string, cause: Error): Promise<SkeinError> {
  const about = await redis.info('server').catch(() => '');
  const version = /^redis_version:(.*?)\r?$/m.exec(about)?.[1] ?? 'of an unknown version';
  return new SkeinError(
    'STORE_TOO_OLD',
    `Redis at ${at} is ${version} and has no functions: ${cause.message}`,
    { cause },
  );
}

/** The address without its password. */
function where(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/**
 * Resolves when the connection can be used; rejects at the given time. Any number of calls may
 * wait.
 */
function readiness(redis: Redis): (until: number) => Promise<void> {
  const waiting = new Set<() => void>();
  redis.on('ready', () => {
    for (const done of waiting) done();
    waiting.clear();
  });
  return (until) => {
    if (redis.status === 'ready') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(
        () => {
          waiting.delete(done);
          reject(new Error('There is no connection.'));
        },
        Math.max(0, until - performance.now()),
      );
      waiting.add(done);
    });
  };
}
