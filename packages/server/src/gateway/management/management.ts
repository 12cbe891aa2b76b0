/**
 * The management API: finds the endpoint in the table, authorises the caller, validates every part
 * of the request against its schema, runs the handler, and records changes in the audit trail.
 */
import type { IncomingMessage } from 'node:http';
import { SkeinError, validate, type Endpoint } from '@skein/api';
import { serveConsole } from '@skein/console';
import {
  bodyBudget,
  DEFAULT_LIMITS,
  defaultBodyBudget,
  type Download,
  type Exchange,
  readJson,
  readQuery,
  remoteOf,
  requestIdFrom,
  SAFE_HEADERS,
  sendDownload,
  sendError,
  sendText,
  toSkeinError,
} from '@skein/http';
import { auditInto } from '../../access/audit-trail.ts';
import { brief } from '../brief.ts';
import { MANAGEMENT_LIMITS, type Management, type ManagementOptions } from './contract.ts';
import { createEventStreams } from './event-streams.ts';
import type { Call, Handler, Handlers, Operation } from './handler.ts';
import { artifactHandlers } from './handlers/artifacts.ts';
import { deploymentHandlers } from './handlers/deployments.ts';
import { jobHandlers } from './handlers/jobs.ts';
import { keyHandlers } from './handlers/keys.ts';
import { modelHandlers } from './handlers/models.ts';
import { nodeHandlers } from './handlers/node.ts';
import { runHandlers } from './handlers/runs.ts';
import { createJobEventStreams } from './job-event-streams.ts';
import { storedId } from './job-names.ts';
import { createOpenStreams, eventStreamBudget, MAX_EVENT_STREAMS } from './open-streams.ts';
import { createPages } from './pages.ts';
import { route, type Route } from './router.ts';
import { readUpload } from './upload.ts';

const PRIVATE = ['Cache-Control', 'no-store'];

export function createManagement(options: ManagementOptions): Management {
  const limits = { ...MANAGEMENT_LIMITS, ...options.limits };
  const jsonLimits = {
    ...DEFAULT_LIMITS,
    maxBodyBytes: limits.maxJsonBytes,
    bodyTimeoutMs: limits.bodyTimeoutMs,
  };
  const bodies = options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxJsonBytes));
  const open = createOpenStreams(
    options.access,
    options.eventStreams ?? eventStreamBudget(MAX_EVENT_STREAMS),
    limits,
  );
  const streams = createEventStreams(options, limits, open);
  const jobStreams = createJobEventStreams(options, limits, open);
  const pages = createPages(options.nodeInfo);
  const audit = auditInto(options.state, options.logger);
  const handlers: Handlers = {
    ...deploymentHandlers(options),
    ...modelHandlers(options),
    ...runHandlers(options),
    ...jobHandlers(options),
    ...artifactHandlers(options),
    ...keyHandlers(options),
    ...nodeHandlers(options),
  };

  async function serve(
    exchange: Exchange,
    url: URL,
    { id, endpoint, params }: Route & { kind: 'endpoint' },
  ): Promise<void> {
    const caller = options.access.authorize(
      exchange.request.headers.authorization,
      endpoint.scope,
      exchange.request.socket,
    );
    const remote = remoteOf(exchange.request.socket);
    const query = readQuery(url.searchParams);
    const parts = {
      params: endpoint.params === undefined ? undefined : validate(endpoint.params, params, 'path'),
      query: checkQuery(endpoint, query),
    };
    if (id === 'streamEvents') {
      await streams.open(exchange.response, caller, lastEventIdOf(exchange.request));
      return;
    }
    if (id === 'streamJobEvents') {
      const { response, request } = exchange;
      const filter = (parts.query ?? {}) as Parameters<typeof jobStreams.open>[2];
      const job = filter.job && (await storedId(options.jobs, caller, filter.job));
      jobStreams.open(response, caller, { ...filter, job }, lastEventIdOf(request));
      return;
    }
    const hold = bodies.hold(caller.tenant);
    try {
      const call = {
        ...parts,
        caller,
        body:
          endpoint.body === undefined
            ? undefined
            : validate(endpoint.body, await readJson(exchange, jsonLimits, hold), 'body'),
        content: readUpload(exchange, limits, hold),
      };
      // The row and the handler have the same key, but the compiler cannot prove that they match.
      const handler = handlers[id] as unknown as Handler<Operation>;
      const run = async (): Promise<unknown> => handler(call as unknown as Call<Operation>);
      const answer =
        endpoint.method === 'GET'
          ? await run()
          : await audit({ actor: caller.actor, action: id, remote, subject: subjectOf(call) }, run);
      await send(exchange, endpoint, answer);
    } finally {
      hold.release();
    }
  }

  async function send(exchange: Exchange, endpoint: Endpoint, answer: unknown): Promise<void> {
    if (answer === undefined) {
      exchange.response.writeHead(204, [...PRIVATE, ...SAFE_HEADERS, 'X-Request-Id', exchange.id]);
      exchange.response.end();
    } else if (endpoint.download !== undefined) {
      await sendDownload(exchange, endpoint.download, answer as Download, limits.bodyTimeoutMs);
    } else {
      const body = JSON.stringify(answer);
      sendText(exchange, endpoint.status, 'application/json', body, PRIVATE);
    }
  }

  return {
    async handle(request, response, url) {
      const isApi = url.pathname.startsWith('/api/');
      const page = isApi
        ? undefined
        : (pages.find(url.pathname) ?? (await serveConsole(url.pathname)));
      if (!isApi && page === undefined) return false;
      const exchange: Exchange = {
        request,
        response,
        id: requestIdFrom(headerOf(request, 'x-request-id')),
        headers: [],
        expectsContinue: request.headers.expect?.toLowerCase() === '100-continue',
      };
      const method = request.method ?? 'GET';
      let headers: string[] = [];
      try {
        if (page !== undefined) {
          if (method !== 'GET' && method !== 'HEAD') {
            headers = ['Allow', 'GET, HEAD'];
            throw wrongMethod(method, url.pathname);
          }
          sendText(exchange, 200, page.type, page.body, page.headers);
          return true;
        }
        const found = route(method, url.pathname);
        if (found.kind === 'unknown') {
          throw new SkeinError('ROUTE_UNKNOWN', `There is nothing at ${brief(url.pathname)}.`);
        }
        if (found.kind === 'method') {
          headers = ['Allow', found.allowed.join(', ')];
          throw wrongMethod(method, url.pathname);
        }
        await serve(exchange, url, found);
      } catch (thrown) {
        const error = toSkeinError(thrown, exchange.id, options.logger);
        if (error.row.http === 401) headers.push('WWW-Authenticate', 'Bearer realm="skein"');
        sendError(exchange, error, [...PRIVATE, ...headers]);
      }
      return true;
    },
    close: () => open.close(),
  };
}

interface Parts {
  readonly params: unknown;
  readonly body: unknown;
}

function checkQuery(endpoint: Endpoint, query: Readonly<Record<string, unknown>>): unknown {
  if (endpoint.query !== undefined) return validate(endpoint.query, query, 'query');
  const [field] = Object.keys(query);
  if (field === undefined) return undefined;
  throw new SkeinError('REQUEST_INVALID', `The query has the field "${field}", but takes none.`);
}

/** An id or name from the path, otherwise from the body or the answer: `risk`, `risk/2`. */
function subjectOf({ params, body }: Parts): (answer: unknown) => string {
  return (answer) => {
    const path = Object.values((params ?? {}) as Record<string, unknown>);
    if (path.length > 0) return path.join('/');
    const named = { ...(answer as object | undefined), ...(body as object | undefined) };
    const { name, id } = named as { name?: string; id?: string };
    return name ?? id ?? '';
  };
}

function wrongMethod(method: string, path: string): SkeinError {
  return new SkeinError('METHOD_NOT_ALLOWED', `${brief(path)} does not take ${method}.`);
}

function lastEventIdOf(request: IncomingMessage): string | undefined {
  return headerOf(request, 'last-event-id');
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
