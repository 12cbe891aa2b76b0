/**
 * Errors in OpenAI's shape. Their clients branch on `type` and `code`, so these are OpenAI's words
 * where it has one; the code of Skein's own table is `skein_code`, with what to do in `fix`.
 */
import type { ErrorCode, SkeinError } from '@skein/api';
import { faultOf, FieldError } from '@skein/generative';
import { type NodeExchange, sendErrorAs } from '@skein/http';

const CODES: Partial<Record<ErrorCode, string>> = {
  MODEL_UNKNOWN: 'model_not_found',
  KEY_MISSING: 'invalid_api_key',
  KEY_INVALID: 'invalid_api_key',
  RATE_LIMITED: 'rate_limit_exceeded',
  PROVIDER_BUSY: 'rate_limit_exceeded',
  PROVIDER_QUOTA: 'insufficient_quota',
  BUDGET_SPENT: 'insufficient_quota',
  CONTEXT_TOO_LONG: 'context_length_exceeded',
  CONTENT_FILTERED: 'content_filter',
};

/** The gateway and its providers name fields as chat completions do; other endpoints call them so. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '/v1/responses': {
    messages: 'input',
    response_format: 'text.format',
    max_tokens: 'max_output_tokens',
    reasoning_effort: 'reasoning.effort',
  },
  '/v1/completions': { messages: 'prompt' },
  '/v1/embeddings': { messages: 'input' },
};

/** Longest `Retry-After` that a client should wait out instead of failing, in milliseconds. */
const PATIENCE_MS = 10_000;

/** @param path of the endpoint. */
export function errorOf(error: SkeinError, path: string): object {
  const { message, code, row } = error;
  return {
    error: {
      message: `${message} ${row.fix}`,
      type: typeOf(row.http, code),
      param: paramOf(error, path),
      code: CODES[code] ?? code.toLowerCase(),
      skein_code: code,
      fix: row.fix,
    },
  };
}

function typeOf(status: number, code: ErrorCode): string {
  if (CODES[code] === 'insufficient_quota') return 'insufficient_quota';
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

function paramOf(error: SkeinError, path: string): string | null {
  const { code } = error;
  // The refusals of a face have the client's words already.
  if (error instanceof FieldError && code === 'REQUEST_INVALID') return error.param;
  const param = error instanceof FieldError ? error.param : faultOf(error)?.param;
  if (code === 'MODEL_UNKNOWN') return 'model';
  const named = param ?? (code === 'CONTEXT_TOO_LONG' ? 'messages' : undefined);
  if (named === undefined) return null;
  const root = /^\w+/.exec(named)?.[0] ?? '';
  const own = FIELDS[path] ?? {};
  return Object.hasOwn(own, root) ? own[root]! : named;
}

export const pathOf = ({ request }: NodeExchange): string => request.url?.split('?', 1)[0] ?? '';

/** @throws whatever writing throws. */
export function sendOpenAiError(exchange: NodeExchange, error: SkeinError): void {
  const body = JSON.stringify(errorOf(error, pathOf(exchange)));
  sendErrorAs(exchange, error, body, retryHeaders(error));
}

/** Clients obey them in this order, and otherwise try twice more whatever the error is. */
export function retryHeaders({ retryAfterMs }: SkeinError): string[] {
  const retry = [
    'x-should-retry',
    String(retryAfterMs !== undefined && retryAfterMs <= PATIENCE_MS),
  ];
  if (retryAfterMs === undefined) return retry;
  return [...retry, 'retry-after-ms', String(Math.ceil(retryAfterMs))];
}
