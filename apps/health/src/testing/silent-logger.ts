/** A logger that keeps nothing, and one that keeps all, to look for what must not be logged. */
import type { GatewayLogger } from '@skein/http';

const nothing = (): void => undefined;
export const silentLogger: GatewayLogger = { error: nothing, warn: nothing, debug: nothing };

export function keepingLogger(lines: string[]): GatewayLogger {
  const keep = (details: object, message: string): void => {
    const { err, ...rest } = details as { err?: Error };
    lines.push(JSON.stringify([message, rest, String(err?.stack), String(err?.cause)]));
  };
  return { error: keep, warn: keep, debug: keep };
}
