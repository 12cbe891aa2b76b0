/**
 * Triton's trace and logging extensions, read only: the settings are decided when the node starts,
 * and a change is refused with the option that makes it. A request without settings reads.
 */
import { invalidRequest } from '../brief.ts';

/** What the node was started with. */
export interface SettingsView {
  /** Whether traces are exported. */
  readonly traced: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** As Triton names them. */
export function traceSettings({ traced }: SettingsView): Readonly<Record<string, string[]>> {
  return {
    trace_mode: ['opentelemetry'],
    trace_level: [traced ? 'TIMESTAMPS' : 'OFF'],
    trace_rate: ['1'],
    trace_count: ['-1'],
    log_frequency: ['0'],
    trace_file: [''],
  };
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** As Triton names them. */
export function logSettings({
  logLevel,
}: SettingsView): Readonly<Record<string, boolean | number | string>> {
  const isLogged = (level: (typeof LEVELS)[number]): boolean =>
    LEVELS.indexOf(level) >= LEVELS.indexOf(logLevel);
  return {
    log_file: '',
    log_info: isLogged('info'),
    log_warnings: isLogged('warn'),
    log_errors: true,
    log_verbose_level: isLogged('debug') ? 1 : 0,
    log_format: 'default',
  };
}

const CHANGES = {
  trace: 'skein up --otlp URL exports a trace of every request, without it none',
  log: 'skein up --log-level debug, info, warn or error, and --log json or pretty',
} as const;

/** @throws SkeinError REQUEST_INVALID unless `given` is empty. */
export function refuseChange(kind: keyof typeof CHANGES, given: object): void {
  const names = Object.keys(given).slice(0, 8);
  if (names.length === 0) return;
  throw invalidRequest(
    `The ${kind} settings (${JSON.stringify(names)}) are decided when the node starts: ${CHANGES[kind]}.`,
  );
}
