/**
 * The steps of every call of a language model, in every protocol:
 *
 *   key and scope → concurrency of the tenant → body within its budget → the gateway
 *
 * The client that leaves, and the key that is revoked, abort the call: a provider must not generate
 * tokens that are never read.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import { readJson, readJsonInTurns } from '@skein/api/foreign-json';
import { freeLarge } from '@skein/api/owned-memory';
import type { Caller, Gateway } from '@skein/generative';
import { type NodeExchange, type GatewayLogger, readBody } from '@skein/http';
import type { Instant } from '@skein/serving';
import type { Caller as KeyOwner } from '../../access/contract.ts';
import type { FaceAccess } from '../../access/refused-logins.ts';
import type { HttpTransport } from '../face.ts';
import { timeoutFromHeader, traceFrom } from '../request-headers.ts';
import { type Fields, objectAt, wrong } from './fields.ts';

/**
 * Bytes of a body. Its texts are parsed, and written for the provider, on the event loop: each of both takes
 * some 3 ms for each MiB.
 */
const MAX_BODY_BYTES = 16 * 2 ** 20;
/** From here on other requests get a turn between two steps, in bytes. */
const LARGE_BYTES = 2 ** 20;

export interface LanguageOptions {
  readonly access: FaceAccess;
  /** Opens the gateway at the first call. */
  readonly languageModels: () => Promise<Gateway>;
  readonly logger: GatewayLogger;
}

export type LanguageTransport = LanguageOptions & Pick<HttpTransport, 'limits' | 'bodies'>;

export interface ModelCall {
  readonly exchange: NodeExchange;
  readonly body: Fields;
  readonly owner: KeyOwner;
  readonly gateway: Gateway;
  /** Refuses a model that the caller does not have. Call it before the rest of the body is read. */
  readonly requireModel: (name: string) => void;
  /**
   * Takes memory for what a request adds to its body, until the call ends.
   * @throws SkeinError BODY_TOO_LARGE with what it has added, BODIES_TOO_LARGE.
   */
  readonly hold: (bytes: number) => void;
  /** Aborted when the client leaves or its key ends. */
  readonly signal: AbortSignal;
  /** How the gateway sees the caller. @param stickyKey keeps a conversation at one provider. */
  readonly caller: (stickyKey: string | undefined) => Caller;
}

/**
 * @param authorization as `Authorization` carries it.
 * @param reachedAt when the headers had arrived.
 */
export async function serveCall(
  exchange: NodeExchange,
  reachedAt: Instant,
  authorization: string | undefined,
  { access, languageModels, limits, bodies }: LanguageTransport,
  answer: (call: ModelCall) => Promise<void>,
): Promise<void> {
  const { response, id } = exchange;
  const owner = access.authorize(authorization, 'infer', exchange);
  const ended = new AbortController();
  const { signal } = ended;
  response.once('close', () => {
    if (!response.writableFinished)
      ended.abort(new SkeinError('CANCELLED', 'The client has left.'));
  });
  access.enter(owner);
  const hold = bodies.hold(owner.tenant);
  let hasEnded = false;
  const unwatch = access.watch(owner, (error) => ended.abort(error));
  try {
    const maxBodyBytes = Math.min(limits.maxBodyBytes, MAX_BODY_BYTES);
    const bytes = await readBody(exchange, { ...limits, maxBodyBytes }, hold);
    const { length } = bytes;
    const isLarge = length > LARGE_BYTES;
    const read = isLarge ? await readJsonInTurns(bytes, turn) : readJson(bytes);
    const body = objectAt(read, 'body');
    freeLarge([bytes]);
    // Its values take the place of the body, and the text for the provider takes as much.
    hold.take(length);
    // To read it is one turn of the event loop, to write it for its provider another one.
    if (isLarge) await turn();
    let size = length;
    const timeoutMs = timeoutFromHeader(headerOf(exchange, 'skein-timeout-ms'));
    const gateway = await languageModels();
    await answer({
      exchange,
      body,
      owner,
      gateway,
      requireModel: (name) => gateway.requireModel(name, owner.tenant),
      hold(more) {
        size += more;
        if (size > MAX_BODY_BYTES) throw tooLarge();
        hold.take(more);
      },
      signal,
      caller: (stickyKey) => ({
        requestId: id,
        tenant: owner.tenant,
        key: owner.actor,
        arrivedAt: reachedAt,
        deadline: timeoutMs === undefined ? undefined : reachedAt + timeoutMs,
        priority: priorityOf(headerOf(exchange, 'skein-priority')),
        stickyKey,
        continues: continuesOf(headerOf(exchange, 'skein-continue')),
        trace: traceFrom(headerOf(exchange, 'traceparent'), headerOf(exchange, 'tracestate')),
        // A call that others have joined may last longer.
        hold: (more) => (hasEnded ? undefined : hold.take(more)),
        signal,
      }),
    });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    hasEnded = true;
    unwatch();
    hold.release();
    access.leave(owner);
  }
}

const tooLarge = (): SkeinError =>
  new SkeinError(
    'BODY_TOO_LARGE',
    `With the stored items that it names, the request has more than ${MAX_BODY_BYTES} bytes.`,
  );

/** The first value of a header. */
export function headerOf({ request }: NodeExchange, name: string): string | undefined {
  const { [name]: value } = request.headers;
  return typeof value === 'object' ? value[0] : value;
}

/** The levels of the Open Inference Protocol: 1 is the most urgent, 0 the default level. */
function priorityOf(value: string | undefined): number {
  if (value === undefined) return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw wrong('Skein-Priority', 'a whole number from 0 on', value);
}

/** Whether a stream that is cut is to be continued. */
function continuesOf(value: string | undefined): boolean {
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw wrong('Skein-Continue', 'true or false', value);
}
