/**
 * The typed client of a node, for browsers and Node. Management calls take their types from the
 * endpoint table and their paths from a copy of it without schemas, so that a page which only calls
 * a model does not carry a validation library.
 */
import { fillPath, parametersOf } from '../endpoint.ts';
import type { RequestOf, ResponseOf } from '../endpoint.ts';
import type { EndpointOf, OperationId } from '../endpoints.ts';
import { SkeinError } from '../errors.ts';
import type { NodeEvent } from '../resources/event.ts';
import type { JobEvent } from '../resources/job.ts';
import { readEvents, type EventsOptions } from './events.ts';
import { pause, retryDelay, type RetryPolicy } from './retry.ts';
import { ROUTES, type Route } from './routes.gen.ts';
import {
  decodeAnswer,
  encodeRequest,
  type AskedOutputs,
  type InputTensor,
  type OutputTensor,
} from './tensors.ts';
import { createTransport, type TransportOptions } from './transport.ts';

export { datatypeOf } from '../datatype.ts';
export { SkeinError, type ErrorCode } from '../errors.ts';
export type { NodeEvent } from '../resources/event.ts';
export type { JobEvent } from '../resources/job.ts';
export { readEventStream, type EventsOptions } from './events.ts';
export type { RetryPolicy } from './retry.ts';
export { checkKey, connectionError } from './transport.ts';
export {
  texts,
  type InputOf,
  type InputTensor,
  type OutputOf,
  type OutputTensor,
} from './tensors.ts';

export interface ClientOptions extends TransportOptions {
  /** Retries calls that change nothing when the node refuses them under load. Default: never. */
  readonly retry?: RetryPolicy | undefined;
  /** Ends calls and streams that name no signal of their own. */
  readonly signal?: AbortSignal | undefined;
}

export interface CallOptions {
  /** Milliseconds after which the caller no longer needs the answer; retries end within it. */
  readonly timeoutMs?: number | undefined;
  /** Ends the call; default: the client's. With `null` no signal does. */
  readonly signal?: AbortSignal | null | undefined;
  /** Overrides the client's. */
  readonly retry?: RetryPolicy | undefined;
}

export interface InferOptions extends CallOptions, AskedOutputs {
  /** Pins one version; else the traffic split chooses. */
  readonly version?: string | undefined;
  /** Further request headers, such as the one that a sticky rollout routes by. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface InferAnswer<Outputs = Record<string, OutputTensor>> {
  readonly deployment: string;
  readonly version: string | undefined;
  readonly id: string | undefined;
  readonly outputs: Outputs;
}

type Operation = Exclude<OperationId, 'streamEvents' | 'streamJobEvents'>;

/** A field that may be missing may also be `undefined`: it is not sent. */
type Given<Request> = {
  readonly [K in keyof Request]: object extends Pick<Request, K>
    ? Request[K] | undefined
    : Request[K];
};

type Method<Request, Response> = unknown extends Request
  ? (request?: Readonly<Record<string, never>>, options?: CallOptions) => Promise<Response>
  : object extends Request
    ? (request?: Given<Request>, options?: CallOptions) => Promise<Response>
    : (request: Given<Request>, options?: CallOptions) => Promise<Response>;

/** One method per operation of the management API; path, query and body fields go in side by side. */
export type ManagementCalls = {
  readonly [Id in Operation]: Method<RequestOf<EndpointOf<Id>>, ResponseOf<EndpointOf<Id>>>;
};

export interface Client extends ManagementCalls {
  /**
   * Runs a deployment.
   * @typeParam Outputs the outputs of the deployment, by name; a generated client fills it in.
   * @throws SkeinError for every refusal and failure; NODE_UNREACHABLE when no node answers.
   */
  infer<Outputs = Record<string, OutputTensor>>(
    deployment: string,
    inputs: Readonly<Record<string, InputTensor>>,
    options?: InferOptions,
  ): Promise<InferAnswer<Outputs>>;
  /** Events of the node: first every deployment as it is, then changes and decisions. */
  events(options?: EventsOptions): AsyncGenerator<NodeEvent, void, undefined>;
  /** Events of jobs from now on, or after the event whose sequence number is `lastEventId`. */
  jobEvents(
    filter?: { readonly job?: string; readonly group?: string; readonly queue?: string },
    options?: EventsOptions,
  ): AsyncGenerator<JobEvent, void, undefined>;
}

/** Bound in milliseconds on the waits between tries of a call without a deadline. */
const UNBOUNDED_RETRY_MS = 30_000;

export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);

  /** `call` with the signal that ends it. */
  function endable<T extends { readonly signal?: AbortSignal | null | undefined }>(call: T) {
    const { signal = options.signal } = call;
    return { ...call, signal: signal ?? undefined };
  }

  async function retrying<T>(
    call: CallOptions & { readonly signal: AbortSignal | undefined },
    attempt: (remainingMs: number | undefined) => Promise<T>,
  ): Promise<T> {
    const policy = call.retry ?? options.retry;
    const begun = performance.now();
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(
          call.timeoutMs === undefined ? undefined : call.timeoutMs - (performance.now() - begun),
        );
      } catch (error) {
        if (policy === undefined || !(error instanceof SkeinError)) throw error;
        const remaining = (call.timeoutMs ?? UNBOUNDED_RETRY_MS) - (performance.now() - begun);
        const wait = retryDelay(policy, tries, error, remaining, Math.random());
        if (wait === undefined) throw error;
        await pause(wait, call.signal);
        if (call.signal?.aborted === true) {
          throw new SkeinError('CANCELLED', 'The call was cancelled.', { cause: error });
        }
      }
    }
  }

  async function manage(
    route: Route,
    request: Readonly<Record<string, unknown>> = {},
    given: CallOptions = {},
  ): Promise<unknown> {
    const call = endable(given);
    const { path, headers, body } = prepare(route, request);
    if (route.answer === 'stream') {
      const { signal } = call;
      const response = await transport.open({ method: route.method, path, headers, body, signal });
      return response.body ?? new ReadableStream({ start: (empty) => empty.close() });
    }
    const send = async (timeoutMs: number | undefined): Promise<unknown> => {
      const answer = await transport.send({
        method: route.method,
        path,
        headers,
        body,
        timeoutMs,
        signal: call.signal,
      });
      if (answer.body.byteLength === 0) return undefined;
      return transport.parse(answer.body);
    };
    // A change may have happened although its answer was lost; only the caller can decide whether
    // to retry.
    return route.method === 'GET' ? retrying(call, send) : send(call.timeoutMs);
  }

  async function infer<Outputs>(
    deployment: string,
    inputs: Readonly<Record<string, InputTensor>>,
    given: InferOptions = {},
  ): Promise<InferAnswer<Outputs>> {
    const call = endable(given);
    const { body, headerLength } = encodeRequest(inputs, call);
    const path =
      call.version === undefined
        ? fillPath('/v2/models/{deployment}/infer', { deployment })
        : fillPath('/v2/models/{deployment}/versions/{version}/infer', {
            deployment,
            version: call.version,
          });
    const answer = await retrying(call, (timeoutMs) =>
      transport.send({
        method: 'POST',
        path,
        headers: {
          ...call.headers,
          'content-type': 'application/octet-stream',
          'inference-header-content-length': String(headerLength),
          ...(timeoutMs === undefined
            ? {}
            : { 'skein-timeout-ms': String(Math.max(1, Math.floor(timeoutMs))) }),
        },
        body,
        timeoutMs,
        signal: call.signal,
      }),
    );
    const length = answer.headers.get('inference-header-content-length');
    const decoded = decodeAnswer(answer.body, length === null ? undefined : Number(length));
    return {
      deployment: decoded.model,
      version: decoded.version,
      id: decoded.id,
      outputs: decoded.outputs as Outputs,
    };
  }

  const calls = Object.fromEntries(
    Object.entries(ROUTES).map(([id, route]) => [
      id,
      (request?: Readonly<Record<string, unknown>>, call?: CallOptions) =>
        manage(route, request, call),
    ]),
  ) as unknown as ManagementCalls;

  return {
    ...calls,
    infer,
    events: (call = {}) =>
      readEvents(transport, '/api/v1/events', endable(call), ({ type, data }) => {
        return { type, data: JSON.parse(data) } as NodeEvent;
      }),
    jobEvents: (filter = {}, call = {}) =>
      readEvents(transport, pathOfJobEvents(filter), endable(call), ({ data }) => {
        return JSON.parse(data) as JobEvent;
      }),
  };
}

function pathOfJobEvents(filter: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given as [string, string][]).toString();
  return query === '' ? '/api/v1/job-events' : `/api/v1/job-events?${query}`;
}

/** Sorts the fields of a request into path, query and body. */
function prepare(
  route: Route,
  request: Readonly<Record<string, unknown>>,
): {
  path: string;
  headers: Record<string, string>;
  body: string | Blob | Uint8Array<ArrayBuffer> | undefined;
} {
  const names = new Set(parametersOf(route.path));
  const params: Record<string, string> = {};
  const query = new URLSearchParams();
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined) continue;
    if (names.has(name)) params[name] = value as string;
    else if (!route.query.includes(name)) rest[name] = value;
    else if (typeof value === 'object' && value !== null) {
      for (const [key, entry] of Object.entries(value))
        query.append(`${name}[${key}]`, entry as string);
    } else query.append(name, `${value as string | number}`);
  }
  const search = query.size === 0 ? '' : `?${query.toString()}`;
  const path = fillPath(route.path, params) + search;
  if (route.body === 'none') return { path, headers: {}, body: undefined };
  if (route.body === 'json') {
    return {
      path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rest),
    };
  }
  return {
    path,
    headers: { 'content-type': route.body },
    body: rest['content'] as Blob | Uint8Array<ArrayBuffer>,
  };
}
