/** A whole HTTP service, from a table of endpoints, their handlers and the pages next to them. */
import { openApiOf, type Endpoint, type ServiceDescription } from '@skein/api';
import { createExchangeListener } from '../listener/exchange-listener.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { ListenOptions } from '../listener/listen.ts';
import { createOriginPolicy } from '../exchange/origin-policy.ts';
import type { Page } from './pages.ts';
import {
  type Callers,
  createRoutes,
  type Handlers,
  ROUTE_LIMITS,
  type RouteOptions,
} from './routes.ts';

export interface ServiceOptions<Scopes extends Callers>
  extends RouteOptions<Scopes>, ListenOptions {
  /**
   * Whether calls need no key. Such a service answers to loopback names only, and to no page of
   * another origin.
   */
  readonly open?: boolean;
  /** For the document at `/openapi.json`. */
  readonly about: ServiceDescription;
}

export interface Service {
  readonly url: string;
  /**
   * Ends the event streams, finishes the requests in flight and closes. Idempotent.
   * @param withinMs when the rest is cut off. Default: `DEFAULT_LIMITS.drainTimeoutMs`.
   */
  close(withinMs?: number): Promise<void>;
}

/**
 * Unless the service is open, callers present a key in a header, which no browser sends on its own: a
 * page of another origin cannot act in the name of a user, and no answer lets it read.
 * @throws SkeinError PORT_IN_USE.
 */
export async function serveRoutes<
  Scopes extends Callers,
  Endpoints extends Readonly<Record<string, Endpoint<keyof Scopes & string>>>,
>(
  endpoints: Endpoints,
  handlers: Handlers<Endpoints, Scopes>,
  options: ServiceOptions<Scopes>,
): Promise<Service> {
  const { logger, fixes, about, pages, open = false } = options;
  const description: Page = {
    type: 'application/json',
    body: Buffer.from(JSON.stringify(openApiOf(endpoints, about))),
    // A page of any origin may read the description.
    headers: ['Access-Control-Allow-Origin', '*'],
  };
  const routes = createRoutes(endpoints, handlers, {
    ...options,
    pages: (path) => (path === '/openapi.json' ? description : pages?.(path)),
  });
  const { bodyTimeoutMs } = { ...ROUTE_LIMITS, ...options.limits };
  const listener = createExchangeListener((exchange) => routes.serve(exchange), {
    origins: createOriginPolicy(open, []),
    limits: { ...DEFAULT_LIMITS, bodyTimeoutMs },
    logger,
    fixes,
  });
  const { host, port } = await listener.listen(options);
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close(withinMs = DEFAULT_LIMITS.drainTimeoutMs) {
      routes.close();
      return listener.drain(performance.now() + withinMs);
    },
  };
}
