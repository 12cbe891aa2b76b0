/**
 * A table of endpoints, served: finds the row of a request, identifies the caller, validates every
 * part of the request against its schema, runs the handler and sends its answer.
 *
 * The order bounds what a request may cost: the caller comes from the headers alone; without the
 * right to call, no byte of a body is read. A body counts towards the share of its tenant while it
 * arrives, and until the request is answered.
 */
import type { IncomingMessage } from 'node:http';
import { fillPath, SkeinError, statusOf, validate } from '@skein/api';
import type { Endpoint, ErrorCode, PartOf, ResponseOf } from '@skein/api';
import { readJson } from '@skein/api/foreign-json';
import type { BudgetHold, SharedBudget } from '@skein/api/shared-budget';
import type { z } from 'zod';
import type { Page } from './pages.ts';
import { readBody } from '../bodies/body.ts';
import { bodyBudget, defaultBodyBudget } from '../bodies/body-budget.ts';
import { type Download, sendDownload } from '../bodies/download.ts';
import {
  createEventStreams,
  type EventSource,
  eventStreamBudget,
  MAX_EVENT_STREAMS,
} from '../exchange/event-streams.ts';
import {
  type NodeExchange,
  MethodNotAllowed,
  NOT_STORED,
  type Peer,
  remoteOf,
  sendNothing,
  sendText,
} from '../exchange/exchange.ts';
import type { GatewayLogger } from '../fault.ts';
import { readQuery } from './query.ts';
import { createRouter } from './router.ts';
import { sendPage } from './send-page.ts';
import { readUpload, type UploadLimits } from '../bodies/upload.ts';

/** A service's data about a caller; budgets are shared between tenants. */
export interface TenantCaller {
  readonly tenant: string;
}

/** The type of the caller by the scope of the endpoint. */
export type Callers = { readonly [scope: string]: TenantCaller };

type Table<Scopes extends Callers> = Readonly<Record<string, Endpoint<keyof Scopes & string>>>;

/** The input of a handler. */
export interface Call<E extends Endpoint, Caller extends TenantCaller> {
  readonly caller: Caller;
  readonly params: PartOf<E, 'params'>;
  readonly query: PartOf<E, 'query'>;
  readonly body: PartOf<E, 'body'>;
  /** The raw body of an upload, streamed. */
  readonly content: AsyncIterable<Uint8Array>;
  /** Id of the last event that a reconnecting client has received. */
  readonly lastEventId: string | undefined;
}

type AnswerOf<E> = E extends { download: string }
  ? Download
  : E extends { events: z.ZodType }
    ? EventSource
    : ResponseOf<E & Endpoint>;

/** @throws SkeinError for every refusal. */
export type Handler<E extends Endpoint, Caller extends TenantCaller> = (
  call: Call<E, Caller>,
) => Promise<AnswerOf<E>> | AnswerOf<E>;

/** One for each row of a table. */
export type Handlers<Endpoints extends Table<Scopes>, Scopes extends Callers> = {
  readonly [Id in keyof Endpoints]: Handler<Endpoints[Id], Scopes[Endpoints[Id]['scope']]>;
};

export interface CallerAccess<Scopes extends Callers> {
  /**
   * @param authorization the header as sent.
   * @throws SkeinError KEY_MISSING, KEY_INVALID, SCOPE_MISSING, RATE_LIMITED.
   */
  authorize(
    authorization: string | undefined,
    scope: keyof Scopes & string,
    from?: Peer,
  ): Scopes[keyof Scopes];
  /**
   * @param onEnd called once, when the key of the caller is revoked or expires.
   * @returns stops watching. Idempotent.
   */
  watch(caller: Scopes[keyof Scopes], onEnd: (error: SkeinError) => void): () => void;
}

export interface RouteLimits extends UploadLimits {
  /** Bytes of a JSON body. */
  readonly maxJsonBytes: number;
  /** Milliseconds of silence after which a heartbeat is sent on an event stream. */
  readonly heartbeatMs: number;
}

export const ROUTE_LIMITS: RouteLimits = {
  maxJsonBytes: 1024 * 1024,
  maxUploadBytes: 2 ** 31,
  bodyTimeoutMs: 30_000,
  minUploadBytesPerSecond: 16 * 1024,
  heartbeatMs: 15_000,
};

/** A call that may change something. */
export interface Operation<Caller> {
  readonly id: string;
  readonly caller: Caller;
  readonly remote: string;
  readonly params: unknown;
  readonly body: unknown;
}

export interface RouteOptions<Scopes extends Callers> {
  readonly access: CallerAccess<Scopes>;
  /** Found by path, where no endpoint has it. */
  readonly pages?: (path: string) => Page | undefined | Promise<Page | undefined>;
  /** Wraps every call but those with GET, for example to record it. */
  readonly record?: (
    operation: Operation<Scopes[keyof Scopes]>,
    run: () => Promise<unknown>,
  ) => Promise<unknown>;
  /** Bodies in flight. Default: its own. */
  readonly bodies?: SharedBudget | undefined;
  /** Open event streams. Default: its own. */
  readonly eventStreams?: SharedBudget | undefined;
  readonly limits?: Partial<RouteLimits> | undefined;
  /** The step that mends an error, where the service has a more specific one than the error table. */
  readonly fixes?: Partial<Record<ErrorCode, string>>;
  readonly logger: GatewayLogger;
}

export interface Routes {
  /** Answers a request. @throws SkeinError for every refusal, to be sent as the answer. */
  serve(exchange: NodeExchange): Promise<void>;
  /** Ends every event stream, so that the listener can close. */
  close(): void;
}

export function createRoutes<Scopes extends Callers, Endpoints extends Table<Scopes>>(
  endpoints: Endpoints,
  handlers: Handlers<Endpoints, Scopes>,
  options: RouteOptions<Scopes>,
): Routes {
  const { access, record, pages, logger } = options;
  const limits: RouteLimits = { ...ROUTE_LIMITS, ...options.limits };
  const bodies = options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxJsonBytes));
  const budget = options.eventStreams ?? eventStreamBudget(MAX_EVENT_STREAMS);
  const streams = createEventStreams(budget, limits, logger, options.fixes);
  const find = createRouter(endpoints);

  async function call(
    exchange: NodeExchange,
    url: URL,
    { id, endpoint, params: found }: Extract<ReturnType<typeof find>, { kind: 'endpoint' }>,
  ): Promise<void> {
    const { request } = exchange;
    const { authorization, 'last-event-id': lastEventId } = request.headers;
    const caller = access.authorize(authorization, endpoint.scope, exchange);
    const params =
      endpoint.params === undefined ? undefined : validate(endpoint.params, found, 'path');
    const query = checkQuery(endpoint, readQuery(url.searchParams));
    const hold = bodies.hold(caller.tenant);
    try {
      const { maxBodyBytes = limits.maxJsonBytes } = endpoint;
      const body =
        endpoint.body === undefined
          ? undefined
          : validate(endpoint.body, await readJsonBody(exchange, maxBodyBytes, hold), 'body');
      const watch = (onEnd: (error: SkeinError) => void) => access.watch(caller, onEnd);
      const content = readUpload(exchange, limits, hold, watch);
      // Row and handler have the same key, but the compiler cannot prove that they match.
      const handle = handlers[id] as unknown as Handler<Endpoint, TenantCaller>;
      const given = { caller, params, query, body, content, lastEventId: first(lastEventId) };
      const run = async (): Promise<unknown> => handle(given as Call<Endpoint, TenantCaller>);
      const remote = remoteOf(exchange);
      const answer =
        endpoint.method === 'GET' || record === undefined
          ? await run()
          : await record({ id, caller, remote, params, body }, run);
      if (endpoint.events === undefined) await send(exchange, endpoint, answer, watch);
      else streams.open(exchange, caller.tenant, watch, answer as EventSource);
    } finally {
      hold.release();
    }
  }

  async function readJsonBody(exchange: NodeExchange, maxBodyBytes: number, hold: BudgetHold) {
    const { bodyTimeoutMs } = limits;
    const bytes = await readBody(exchange, { maxBodyBytes, bodyTimeoutMs }, hold);
    // A body whose fields all have defaults may be omitted.
    return bytes.length === 0 ? {} : readJson(bytes);
  }

  async function send(
    exchange: NodeExchange,
    endpoint: Endpoint,
    answer: unknown,
    watch: (onEnd: (error: SkeinError) => void) => () => void,
  ): Promise<void> {
    if (endpoint.download !== undefined) {
      const { bodyTimeoutMs } = limits;
      await sendDownload(exchange, endpoint.download, answer as Download, bodyTimeoutMs, watch);
    } else if (answer === undefined) {
      sendNothing(exchange);
    } else {
      const at = endpoint.location;
      const location = at === undefined ? [] : ['Location', locationOf(at, answer as object)];
      const headers = [...NOT_STORED, ...location];
      const text = JSON.stringify(answer);
      sendText(exchange, statusOf(endpoint), 'application/json', text, headers);
    }
  }

  async function answerPage(exchange: NodeExchange, path: string): Promise<void> {
    const { method = 'GET' } = exchange.request;
    const page = await pages?.(path);
    if (page === undefined) {
      throw new SkeinError('ROUTE_UNKNOWN', `There is no ${method} ${shown(path)}.`);
    }
    const allowed = ['GET', 'HEAD'];
    if (!allowed.includes(method)) throw new MethodNotAllowed(method, path, allowed);
    await sendPage(exchange, page);
  }

  return {
    async serve(exchange) {
      const { method = 'GET' } = exchange.request;
      const url = urlOf(exchange.request);
      const found = find(method, url.pathname);
      if (found.kind === 'endpoint') await call(exchange, url, found);
      else if (found.kind === 'unknown') await answerPage(exchange, url.pathname);
      else throw new MethodNotAllowed(method, url.pathname, found.allowed);
    },
    close: () => streams.close(),
  };
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  const parsed = URL.parse(url, 'http://service');
  if (parsed !== null) return parsed;
  throw new SkeinError('REQUEST_INVALID', `The path ${shown(url)} is not a valid URL.`);
}

function checkQuery(endpoint: Endpoint, query: Readonly<Record<string, unknown>>): unknown {
  if (endpoint.query !== undefined) return validate(endpoint.query, query, 'query');
  const [field] = Object.keys(query);
  if (field === undefined) return undefined;
  throw new SkeinError('REQUEST_INVALID', `The query has the field "${field}", but takes none.`);
}

function locationOf(path: string, answer: object): string {
  const fields = Object.entries(answer).map(([name, value]) => [name, String(value)] as const);
  return fillPath(path, Object.fromEntries(fields));
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
