/** How an error is shown: what happened, why, and how to fix it. */
import { ERRORS, SkeinError, type ErrorBody } from '@skein/api/errors';
import { formatDuration } from '@skein/api/units';
import type { Style } from './style.ts';

/**
 * The wire form of any thrown value. An error that is not a SkeinError is a defect of Skein;
 * SKEIN_DEBUG=1 shows its stack.
 */
export function describeError(
  error: unknown,
  env: Readonly<Record<string, string | undefined>>,
): ErrorBody {
  if (error instanceof SkeinError) return error.toBody();
  const message = error instanceof Error ? error.message : String(error);
  const debug =
    env['SKEIN_DEBUG'] === '1' && error instanceof Error ? `\n${error.stack ?? ''}` : '';
  return {
    error: `${message}${debug}`,
    code: 'INTERNAL',
    fix: 'Run it again with SKEIN_DEBUG=1 and report what it prints.',
  };
}

export function renderError(body: ErrorBody, style: Style): string {
  const lines = [
    `${style.red('error:')} ${style.commands(body.error)} ${style.dim(`(${body.code})`)}`,
    `  ${style.dim('why:')} ${ERRORS[body.code].meaning}`,
    `  ${style.dim('fix:')} ${style.commands(body.fix)}`,
  ];
  if (body.retryAfterMs !== undefined) {
    lines.push(`  ${style.dim('again in:')} ${formatDuration(body.retryAfterMs)}`);
  }
  return lines.join('\n');
}
