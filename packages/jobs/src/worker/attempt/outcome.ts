/**
 * Converts the ending of work to the outcome that is reported: one table of causes, each with a
 * message for a reader.
 */
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import { LAST_WORDS } from '@skein/api/job-states';
import type { Ending } from '@skein/sandbox';
import type { Cause, Outcome } from '../../contract.ts';

export type Failure = Extract<Outcome, { kind: 'failed' }>;

const MIB = 2 ** 20;

/** @returns undefined for a command that succeeded. */
export function failureOf(
  ending: Ending,
  program: string,
  limits: { readonly cpuMs?: number | undefined; readonly wallMs: number },
  lastWords: string,
): Failure | undefined {
  const { endedBy, exitCode, signal, usage } = ending;
  const failed = (cause: Cause, message: string): Failure => ({
    kind: 'failed',
    cause,
    message: lastWords === '' ? message : `${message}${LAST_WORDS}${lastWords}`,
    retryable: true,
    usage: { ...usage },
  });
  switch (endedBy) {
    case 'exit':
      if (exitCode === 0) return undefined;
      return failed('exit-code', `${program} exited with ${exitCode}.`);
    case 'signal':
      return failed('signal', `${program} was ended by ${signal}.`);
    case 'out-of-memory':
      return failed(
        'out-of-memory',
        `${program} needed more memory than it may have; it had used ${Math.ceil(usage.peakMemoryBytes / MIB)} MiB.`,
      );
    case 'cpu-limit':
      return failed('timeout', `${program} used its ${limits.cpuMs} ms of cpu time.`);
    case 'wall-limit':
      return failed('timeout', `${program} ran for its ${limits.wallMs} ms.`);
    case 'output-limit':
      return failed('output-limit', `${program} wrote more output than it may.`);
    case 'killed':
      return failed('signal', `${program} was killed.`);
  }
}

export function refusal(message: string): Failure {
  return { kind: 'failed', cause: 'refused', message, retryable: false };
}

/** Codes of errors that mean that this work can never run here. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'SANDBOX_UNAVAILABLE',
  'SANDBOX_UNSUPPORTED',
  'SANDBOX_IMAGE_UNKNOWN',
  'SANDBOX_IMAGE_FORBIDDEN',
  'ARTIFACT_UNKNOWN',
  'REQUEST_INVALID',
]);

/** Codes of errors that follow from the command's output: it fails, as with another exit code. */
const OUTPUT_FAULTS: ReadonlySet<ErrorCode> = new Set([
  'SANDBOX_OUTPUT_MISSING',
  'SANDBOX_OUTPUT_TOO_LARGE',
]);

export function isOfCommand(thrown: unknown): boolean {
  return thrown instanceof SkeinError && OUTPUT_FAULTS.has(thrown.code);
}

/**
 * Converts an error that was thrown around the work: by a driver, the artifacts, or a fault of
 * ours.
 */
export function failureFrom(thrown: unknown): Failure {
  if (!(thrown instanceof SkeinError)) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return { kind: 'failed', cause: 'error', message, retryable: true };
  }
  const message = `${thrown.message.replace(/\.?$/, '.')} ${thrown.row.fix}`;
  if (REFUSALS.has(thrown.code)) return refusal(message);
  const cause = thrown.code === 'SANDBOX_OUTPUT_TOO_LARGE' ? 'output-limit' : 'error';
  return { kind: 'failed', cause, message, retryable: true };
}
