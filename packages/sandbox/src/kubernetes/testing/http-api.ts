/** The API server of the test cluster: requests for objects, watches, and faults on demand. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { apiVersionOf, discovery, RESOURCES } from './discovery.ts';
import type { JobsController } from './jobs-controller.ts';
import type { Change, KubeObject, Objects } from './objects.ts';
import { fieldsOf, selectorOf } from './selectors.ts';

/** The object that a path names. */
export interface Target {
  /** `pods`, `batch/jobs`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** `log`, `exec`, `attach`. */
  readonly sub: string | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

/** Faults that a test makes the server show, and calls that the test receives. */
export interface Faults {
  /** Asked before each request; a refusal is its answer. */
  refuse: (verb: string, resource: string) => Refusal | undefined;
  /** Verbs that were used, as a Role names them: `create batch/jobs`, `get pods/exec`. */
  readonly used: Set<string>;
}

export function targetOf(path: string): Target | undefined {
  const found =
    /^\/(?:api\/v1|apis\/([a-z.0-9]+)\/v1)\/(?:namespaces\/([^/]+)\/)?([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(
      path,
    );
  if (found === null) return undefined;
  const [, group, namespace, plural = '', name, sub] = found;
  const resource = group === undefined ? plural : `${group}/${plural}`;
  return RESOURCES.some((each) => each.name === resource)
    ? { resource, namespace, name, sub }
    : undefined;
}

export function verbOf(method: string, { name, sub }: Target, query: URLSearchParams): string {
  if (query.get('watch') === 'true' || query.get('watch') === '1') return 'watch';
  if (method === 'GET') return name === undefined ? 'list' : 'get';
  if (method === 'POST') return sub === undefined ? 'create' : 'create';
  return { PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method] ?? 'unknown';
}

export class HttpApi {
  readonly #objects: Objects;
  readonly #controller: JobsController;
  readonly #watches = new Set<ServerResponse>();
  readonly faults: Faults;

  constructor(objects: Objects, controller: JobsController, faults: Faults) {
    this.#objects = objects;
    this.#controller = controller;
    this.faults = faults;
  }

  /** Ends every watch: as agreed, or by cutting the connection. */
  dropWatches(how: 'end' | 'cut'): number {
    const dropped = [...this.#watches];
    for (const each of dropped) {
      if (how === 'end') each.end();
      else each.destroy();
    }
    return dropped.length;
  }

  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { method = 'GET' } = request;
    const found = discovery(url.pathname);
    if (found !== undefined) return send(response, 200, found);
    const target = targetOf(url.pathname);
    if (target === undefined)
      return refuse(response, {
        status: 404,
        message: 'the server could not find the requested resource',
      });
    const verb = verbOf(method, target, url.searchParams);
    const resource =
      target.sub === undefined ? target.resource : `${target.resource}/${target.sub}`;
    this.faults.used.add(`${verb} ${resource}`);
    const refusal = this.faults.refuse(verb, resource);
    if (refusal !== undefined) return refuse(response, refusal);
    if (verb === 'watch') return this.#watch(response, target, url.searchParams);
    if (verb === 'list') return this.#list(response, target, url.searchParams);
    const body = method === 'GET' ? undefined : await bodyOf(request);
    if (verb === 'create') return this.#create(response, target, body as KubeObject);
    const { namespace = '', name = '' } = target;
    const now = this.#objects.get(target.resource, namespace, name);
    if (now === undefined)
      return refuse(response, { status: 404, message: `${target.resource} "${name}" not found` });
    if (verb === 'get') return send(response, 200, now);
    if (verb === 'delete')
      return this.#delete(
        response,
        target,
        now,
        body as DeleteOptions | undefined,
        url.searchParams,
      );
    const { resourceVersion } = (body as KubeObject).metadata;
    if (resourceVersion !== undefined && resourceVersion !== now.metadata.resourceVersion) {
      return refuse(response, {
        status: 409,
        message: `Operation cannot be fulfilled on ${target.resource} "${name}": the object has been modified`,
      });
    }
    const merge = (object: KubeObject): KubeObject =>
      verb === 'patch'
        ? (mergePatch(object, body) as KubeObject)
        : {
            ...(body as KubeObject),
            metadata: { ...object.metadata, ...(body as KubeObject).metadata },
          };
    send(response, 200, this.#objects.update(target.resource, namespace, name, merge));
  }

  #create(response: ServerResponse, { resource, namespace = '' }: Target, body: KubeObject): void {
    const { name } = body.metadata;
    if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name))
      return refuse(response, { status: 422, message: `${name} is not a name` });
    if (resource !== 'namespaces' && this.#objects.get('namespaces', '', namespace) === undefined) {
      return refuse(response, { status: 404, message: `namespaces "${namespace}" not found` });
    }
    const made = this.#objects.create(resource, namespace, body);
    if (made === undefined)
      return refuse(response, { status: 409, message: `${resource} "${name}" already exists` });
    send(response, 201, made);
  }

  #delete(
    response: ServerResponse,
    { resource, namespace = '', name = '' }: Target,
    { metadata }: KubeObject,
    body: DeleteOptions | undefined,
    query: URLSearchParams,
  ): void {
    const grace =
      body?.gracePeriodSeconds ??
      (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined);
    if (resource === 'pods')
      return send(response, 200, this.#controller.deletePod(namespace, name, grace));
    this.#objects.remove(resource, namespace, name);
    // Deleting a Job alone leaves its pods.
    const policy = body?.propagationPolicy ?? query.get('propagationPolicy') ?? 'Orphan';
    if (policy !== 'Orphan') this.#controller.collectGarbage(metadata.uid);
    send(response, 200, {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Success',
      details: { name, uid: metadata.uid },
    });
  }

  #list(response: ServerResponse, { resource, namespace }: Target, query: URLSearchParams): void {
    const kind = RESOURCES.find(({ name }) => name === resource)?.kind ?? '';
    const items = this.#objects.list(resource, namespace).filter(wanted(query));
    const metadata = { resourceVersion: String(this.#objects.revision) };
    send(response, 200, {
      kind: `${kind}List`,
      apiVersion: apiVersionOf(resource),
      metadata,
      items,
    });
  }

  #watch(response: ServerResponse, { resource, namespace }: Target, query: URLSearchParams): void {
    const isWanted = wanted(query);
    const from = Number(query.get('resourceVersion') ?? 0);
    response.writeHead(200, { 'content-type': 'application/json' });
    const write = (type: string, object: unknown): void =>
      void response.write(`${JSON.stringify({ type, object })}\n`);
    const pass = (change: Change): void => {
      const { metadata } = change.object;
      if (
        change.resource !== resource ||
        (namespace !== undefined && metadata.namespace !== namespace)
      )
        return;
      if (isWanted(change.object)) write(change.type, change.object);
    };
    const missed = from === 0 ? [] : this.#objects.since(from);
    if (missed === undefined) {
      write('ERROR', statusOf({ status: 410, message: `too old resource version: ${from}` }));
      return void response.end();
    }
    if (from === 0)
      for (const object of this.#objects.list(resource, namespace).filter(isWanted))
        write('ADDED', object);
    for (const change of missed) pass(change);
    const stop = this.#objects.onChange(pass);
    const seconds = Number(query.get('timeoutSeconds') ?? 1800);
    const timer = setTimeout(() => response.end(), seconds * 1000);
    this.#watches.add(response);
    response.on('close', () => {
      stop();
      clearTimeout(timer);
      this.#watches.delete(response);
    });
    response.flushHeaders();
  }
}

interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
}

function wanted(query: URLSearchParams): (object: KubeObject) => boolean {
  const [labels, fields] = [
    selectorOf(query.get('labelSelector')),
    selectorOf(query.get('fieldSelector')),
  ];
  return (object) => labels(object.metadata.labels ?? {}) && fields(fieldsOf(object));
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> =
    typeof target === 'object' && target !== null ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  return Number(request.headers['content-length'] ?? 0) === 0 &&
    request.headers['transfer-encoding'] === undefined
    ? undefined
    : await json(request);
}

function statusOf({ status, message }: Refusal): unknown {
  const reasons: Readonly<Record<number, string>> = {
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    409: 'AlreadyExists',
    410: 'Expired',
    429: 'TooManyRequests',
  };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: reasons[status] ?? 'InternalError',
    message,
    code: status,
  };
}

export function refuse(response: ServerResponse, refusal: Refusal): void {
  if (refusal.retryAfter !== undefined) response.setHeader('retry-after', refusal.retryAfter);
  send(response, refusal.status, statusOf(refusal));
}

export function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
