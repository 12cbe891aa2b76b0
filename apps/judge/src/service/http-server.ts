/**
 * The judge over HTTP: finds the route, authenticates the caller, checks the input, and answers in
 * JSON. Every refusal is a row of the error table. The key comes in a header that no browser sends
 * by itself, so a page of another site cannot act in a user's name.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { SkeinError, type ErrorCode } from '@skein/api';
import type { WorkerLog } from '@skein/jobs';
import type { z } from 'zod';
import type { Accounts, User } from './accounts.ts';
import type { Page } from '../web/pages.ts';
import { ANSWERED, type Route } from './route.ts';

export interface HttpOptions {
  readonly routes: readonly Route[];
  readonly accounts: Pick<Accounts, 'authenticate'>;
  readonly pages: (path: string) => Page | undefined;
  readonly maxBodyBytes: number;
  readonly log: WorkerLog;
}

/** Fixes that differ from the table, which describes a node. */
const FIXES: Partial<Record<ErrorCode, string>> = {
  KEY_MISSING: 'Send `Authorization: Bearer KEY`; `skein-judge users add NAME` makes one.',
  KEY_INVALID: 'Ask for a new key; `skein-judge users key NAME` makes one.',
  KEY_UNKNOWN: '`skein-judge users ls` lists the keys.',
  RATE_LIMITED: 'Wait for Retry-After.',
  ROUTE_UNKNOWN: '/openapi.json lists every path.',
  METHOD_NOT_ALLOWED: 'Use a method that the header Allow names.',
  REQUEST_INVALID: 'Correct the field that the message names; /openapi.json lists every field.',
  BODY_TOO_LARGE: 'Send less; `GET /api/v1/judge` tells the limit.',
};

const REQUEST_TIMEOUT_MS = 60_000;

export function createHttpServer(options: HttpOptions): Server {
  const find = matcher(options.routes);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://judge');
    if (request.method === 'GET' || request.method === 'HEAD') {
      const page = options.pages(url.pathname);
      if (page !== undefined) {
        response.writeHead(200, page.headers);
        response.end(request.method === 'HEAD' ? undefined : page.body);
        return;
      }
    }
    const { found, inPath } = find(request.method ?? 'GET', url.pathname, response);
    const user = options.accounts.authenticate(request.headers.authorization);
    admit(found, user);
    const parameters = check(
      found.parameters,
      { ...Object.fromEntries(url.searchParams), ...inPath },
      '',
    ) as Record<string, unknown>;
    const body =
      found.body === undefined
        ? undefined
        : check(found.body, await readJson(request, options.maxBodyBytes), 'body');
    const given = await found.handle({ parameters, body, exchange: { request, response } }, user);
    if (given !== ANSWERED) sendJson(response, found.status, given);
  }

  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    response.setHeader('X-Content-Type-Options', 'nosniff');
    answer(request, response).catch((error: unknown) => {
      const refusal = asRefusal(error, request, options.log);
      if (response.headersSent) response.destroy();
      else sendRefusal(request, response, refusal);
    });
  });
  return server;
}

/** @throws SkeinError KEY_MISSING, SCOPE_MISSING. */
function admit({ access, method, path }: Route, user: User | undefined): void {
  if (access === 'public') return;
  if (user === undefined) {
    throw new SkeinError('KEY_MISSING', `${method} ${path} needs an API key.`);
  }
  if (access === 'admin' && !user.admin) {
    throw new SkeinError('SCOPE_MISSING', `${method} ${path} is for admins; ${user.name} is none.`);
  }
}

/** @throws SkeinError REQUEST_INVALID that names the first wrong field. */
function check(schema: z.ZodType, value: unknown, at: string): unknown {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const field = [at, ...(issue?.path ?? [])].filter((part) => part !== '').join('.');
  throw new SkeinError(
    'REQUEST_INVALID',
    `${field === '' ? 'The request' : field}: ${issue?.message ?? 'is not valid'}.`,
  );
}

/** @throws SkeinError BODY_TOO_LARGE, BODY_NOT_JSON. */
async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const tooLarge = (): SkeinError =>
    new SkeinError('BODY_TOO_LARGE', `The body has more than ${maxBytes} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw new SkeinError('BODY_NOT_JSON', `The body is not JSON: ${(error as Error).message}.`);
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: SkeinError,
): void {
  const { retryAfterMs } = refusal;
  if (retryAfterMs !== undefined) {
    response.setHeader('Retry-After', Math.max(1, Math.ceil(retryAfterMs / 1000)));
  }
  if (refusal.row.http === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  // An unread body would be parsed as the next request.
  if (!request.complete) response.setHeader('Connection', 'close');
  const body = refusal.toBody();
  sendJson(response, refusal.row.http, { ...body, fix: FIXES[refusal.code] ?? body.fix });
}

/** Internal errors are logged under an id; their message is not sent to the caller. */
function asRefusal(error: unknown, request: IncomingMessage, log: WorkerLog): SkeinError {
  if (error instanceof SkeinError && error.row.kind !== 'fault') return error;
  const id = randomUUID();
  log('error', 'A request failed.', { id, method: request.method, err: error });
  return error instanceof SkeinError && error.code !== 'INTERNAL'
    ? error
    : new SkeinError('INTERNAL', `Something went wrong; the log tells what, under ${id}.`);
}

interface Found {
  readonly found: Route;
  readonly inPath: Readonly<Record<string, string>>;
}

function matcher(routes: readonly Route[]) {
  const patterns = routes.map((route) => {
    const names: string[] = [];
    const pattern = route.path.replaceAll(/\{(\w+)(\+?)\}/g, (_, name: string, rest: string) => {
      names.push(name);
      return rest === '' ? '([^/]+)' : '(.+)';
    });
    return { route, names, pattern: new RegExp(`^${pattern}$`) };
  });
  /** @throws SkeinError ROUTE_UNKNOWN, METHOD_NOT_ALLOWED. */
  return (method: string, path: string, response: ServerResponse): Found => {
    const allowed: string[] = [];
    for (const { route, names, pattern } of patterns) {
      const match = pattern.exec(path);
      if (match === null) continue;
      if (route.method !== method) {
        allowed.push(route.method);
        continue;
      }
      const inPath = Object.fromEntries(
        names.map((name, index) => [name, decoded(match[index + 1] ?? '')]),
      );
      return { found: route, inPath };
    }
    if (allowed.length === 0) {
      throw new SkeinError('ROUTE_UNKNOWN', `There is nothing at ${path.slice(0, 200)}.`);
    }
    response.setHeader('Allow', allowed.join(', '));
    throw new SkeinError('METHOD_NOT_ALLOWED', `${path.slice(0, 200)} takes no ${method}.`);
  };
}

/** @throws SkeinError REQUEST_INVALID. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SkeinError(
      'REQUEST_INVALID',
      `The path holds "${segment.slice(0, 50)}", which is not text.`,
    );
  }
}
