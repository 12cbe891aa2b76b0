/**
 * The node's log, on standard error: JSON, one object per line; or a readable format for a
 * terminal. Writing never blocks the node: if the reader hangs, lines beyond a buffer of a megabyte
 * are dropped.
 */
import { createRequire } from 'node:module';
import { pino, type DestinationStream, type Logger } from 'pino';
import type { PrettyOptions } from 'pino-pretty';
import { safeLine, safeText } from '@skein/api/safe-text';
import { redacted, withoutKeys } from './redaction.ts';

export type LogFormat = 'pretty' | 'json' | 'off';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const MAX_BUFFERED_BYTES = 1 << 20;

/** @param destination for tests; default: standard error. */
export function createLogger(
  format: LogFormat,
  level: LogLevel = 'info',
  destination: DestinationStream = standardError(),
): Logger {
  return pino(
    {
      enabled: format !== 'off',
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redacted },
      // `redacted` has already turned errors into plain objects.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: withoutKeys },
    },
    format === 'pretty' ? readable(destination) : destination,
  );
}

function standardError(): DestinationStream {
  return pino.destination({ dest: 2, sync: false, maxLength: MAX_BUFFERED_BYTES });
}

/** Loaded only for the readable format: it takes longer to load than pino itself. */
function readable(destination: DestinationStream): DestinationStream {
  const load = createRequire(import.meta.url);
  const { prettyFactory } = load('pino-pretty') as {
    readonly prettyFactory: (options: PrettyOptions) => (line: string) => string;
  };
  const readable = prettyFactory({
    colorize: process.stderr.isTTY && process.env['NO_COLOR'] === undefined,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  });
  return { write: (line) => destination.write(readable(harmless(line))) };
}

/** A line whose texts, such as names and messages of jobs, contain no control characters. Stacks keep their lines. */
function harmless(line: string): string {
  return JSON.stringify(
    JSON.parse(line, (key, value: unknown) => {
      if (typeof value === 'string') return key === 'stack' ? safeText(value) : safeLine(value);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
      return Object.fromEntries(
        Object.entries(value).map(([name, field]) => [safeLine(name), field as unknown]),
      );
    }),
  );
}
