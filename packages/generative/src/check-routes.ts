/** Asks the provider of each route of a model whether it has the model, for nothing, before a request does. */
import { SkeinError } from '@skein/api/errors';
import { upstreamError } from './wire/upstream-error.ts';

/** A provider's answer about the model of one route. */
export interface RouteCheck {
  readonly provider: string;
  /** Its name at the provider. */
  readonly model: string;
  /** The error that a request would meet; absent: the provider reports none. */
  readonly problem?: SkeinError;
}

interface CheckedRoute {
  readonly provider: {
    readonly name: string;
    check?(model: string, signal: AbortSignal): Promise<void>;
  };
  readonly settings: { readonly model: string };
}

/** The longest wait for a provider, in milliseconds: the operator waits at a terminal. */
const CHECK_MS = 5000;

export function checkRoutes(routes: readonly CheckedRoute[]): Promise<RouteCheck[]> {
  return Promise.all(
    routes.map(async ({ provider, settings: { model } }) => {
      const signal = AbortSignal.timeout(CHECK_MS);
      try {
        await provider.check?.(model, signal);
        return { provider: provider.name, model };
      } catch (error) {
        return { provider: provider.name, model, problem: problemOf(provider.name, error, signal) };
      }
    }),
  );
}

function problemOf(provider: string, error: unknown, signal: AbortSignal): SkeinError {
  if (error instanceof SkeinError) return error;
  return signal.aborted
    ? upstreamError('PROVIDER_TIMEOUT', { provider, message: `no answer in ${CHECK_MS} ms.` })
    : upstreamError('PROVIDER_FAILED', { provider, message: 'it failed.' });
}
