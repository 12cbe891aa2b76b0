/**
 * Requests to the API server of a cluster. The client library has the credentials (kubeconfig,
 * service account, login plugins) and the WebSockets; requests are plain HTTP, because a watch and
 * a refusal with Retry-After need more than its generated methods give.
 *
 * Every request can be repeated: names are chosen here, so a second creation answers 409.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { PassThrough } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Client from '@kubernetes/client-node';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api';
import { importOptional } from '@skein/api/user-modules';

/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 30_000;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 10_000;
const MOST_ATTEMPTS = 6;

/** The server that the client library takes for the cluster when it finds none. */
const WITHOUT_CONFIG = 'http://localhost:8080';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
export type Query = Readonly<Record<string, string | number | boolean>>;

export interface RequestParts {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** A refusal of the API server. `status` is undefined when it did not answer. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, status?: number, retryAfterMs?: number, cause?: unknown) {
    super(message, { cause });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

export class Cluster {
  readonly server: string;
  readonly #config: Client.KubeConfig;
  readonly sockets: Client.Exec['handler'];

  constructor(config: Client.KubeConfig, sockets: Client.Exec['handler']) {
    this.#config = config;
    this.sockets = sockets;
    this.server = config.getCurrentCluster()?.server ?? '';
  }

  /** @throws ClusterError; the reason of `signal`. */
  async request<Answer>(method: Method, path: string, parts: RequestParts = {}): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#send(method, path, parts, AbortSignal.timeout(ANSWER_MS));
        return (await json(answer)) as Answer;
      } catch (thrown) {
        parts.signal?.throwIfAborted();
        const error = asClusterError(thrown);
        const waitMs = retryMs(error, attempt, Math.random());
        if (waitMs === undefined) throw error;
        await sleep(waitMs, undefined, { signal: parts.signal });
      }
    }
  }

  /** The body of an answer that continues until the signal. @throws ClusterError. */
  async stream(path: string, query: Query, signal: AbortSignal): Promise<IncomingMessage> {
    try {
      return await this.#send('GET', path, { query }, signal);
    } catch (error) {
      throw asClusterError(error);
    }
  }

  async #send(
    method: Method,
    path: string,
    { query = {}, body, signal }: RequestParts,
    within: AbortSignal,
  ): Promise<IncomingMessage> {
    const url = new URL(`${this.server}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    const options: RequestOptions = {
      method,
      headers: {},
      signal: signal === undefined ? within : AbortSignal.any([signal, within]),
    };
    await this.#config.applyToHTTPSOptions(options);
    const content = body === undefined ? undefined : JSON.stringify(body);
    options.headers = {
      ...(options.headers as Record<string, string>),
      accept: 'application/json',
      ...(content === undefined ? {} : headersOf(method, content)),
    };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      send(url, options, resolve).on('error', reject).end(content);
    });
    const { statusCode = 0, headers } = answer;
    if (statusCode < 300) return answer;
    const seconds = Number(headers['retry-after']);
    throw new ClusterError(
      messageOf(await text(answer), statusCode),
      statusCode,
      Number.isFinite(seconds) ? seconds * 1000 : undefined,
    );
  }
}

/**
 * When to repeat a request, in milliseconds from now; undefined: never. The server's Retry-After is
 * respected, but bounded: a broken server must not stop a worker for an hour.
 * @param random from 0 to 1.
 */
export function retryMs(
  { status, retryAfterMs }: Pick<ClusterError, 'status' | 'retryAfterMs'>,
  attempt: number,
  random: number,
): number | undefined {
  const passes = status === undefined || status === 429 || status >= 500;
  if (!passes || attempt >= MOST_ATTEMPTS) return undefined;
  const backoffMs = FIRST_RETRY_MS * 2 ** (attempt - 1) * (0.5 + random / 2);
  return Math.min(Math.max(backoffMs, retryAfterMs ?? 0), LONGEST_RETRY_MS);
}

function asClusterError(thrown: unknown): ClusterError {
  if (thrown instanceof ClusterError) return thrown;
  const why = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return new ClusterError(why, undefined, undefined, thrown);
}

/** A failure as an error for the reader. One that may pass is not a refusal, so the work is tried again. */
export function clusterError(thrown: unknown, doing: string): SkeinError {
  if (thrown instanceof SkeinError) return thrown;
  const error = asClusterError(thrown);
  const passes = retryMs(error, 1, 0) !== undefined;
  return new SkeinError(
    passes ? 'SANDBOX_NOT_STARTED' : 'SANDBOX_UNAVAILABLE',
    `The cluster did not ${doing}: ${error.message}`,
    { cause: thrown },
  );
}

function headersOf(method: Method, content: string): Record<string, string | number> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  // Node sends the body of a DELETE without a length unless it is named.
  return { 'content-type': type, 'content-length': Buffer.byteLength(content) };
}

/** The API server answers with a Status object. */
function messageOf(body: string, status: number): string {
  try {
    const { message } = readJson(body, JSON_BOUNDS.answer) as { message?: unknown };
    if (typeof message === 'string' && message !== '') return `${message} (${status})`;
  } catch {
    // A proxy before the API server answers with a page.
  }
  return `it answered ${status}`;
}

/** Loads the client library and the credentials. @throws SkeinError PACKAGE_MISSING, USAGE. */
export async function connectCluster(context: string | undefined): Promise<Cluster> {
  const { Exec, KubeConfig } = await loadClient();
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch (error) {
    throw new SkeinError('USAGE', `The kubeconfig cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      throw new SkeinError('USAGE', `The kubeconfig has no context ${JSON.stringify(context)}.`);
    }
    config.setCurrentContext(context);
  }
  const current = config.getCurrentCluster();
  if (current === null) {
    throw new SkeinError(
      'USAGE',
      'The kubeconfig has no current context; SKEIN_KUBERNETES_CONTEXT names one.',
    );
  }
  if (current.server === WITHOUT_CONFIG) {
    throw new SkeinError(
      'USAGE',
      'There is no kubeconfig, in KUBECONFIG or ~/.kube/config, and no service account of a pod.',
    );
  }
  const { handler } = new Exec(config);
  // A server that closes a stream of a command would make the handler close the streams of this process.
  const unused = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  return new Cluster(config, Object.assign(handler, { streams: unused }));
}

const loadClient = (): Promise<typeof Client> =>
  importOptional('@kubernetes/client-node', 'Sandboxes in a cluster', import.meta.url);
