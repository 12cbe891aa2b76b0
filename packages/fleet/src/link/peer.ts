/**
 * Another member of the fleet, as this node calls it: one HTTP/2 connection, opened when it is
 * needed, and a circuit that leaves the member out while it does not answer.
 *
 * A connection that is silent is pinged; without an echo it is closed, and every request on it is
 * lost at once instead of at its deadline.
 */
import type { ClientHttp2Session } from 'node:http2';
import { SkeinError } from '@skein/api';
import type { OwnedMemory } from '@skein/api/owned-memory';
import type { SharedBudget } from '@skein/api/shared-budget';
import { timerMs, within } from '@skein/api/waits';
import type { TensorMap } from '@skein/onnx';
import type { Clock, InferenceAnswer, InferenceRequest, Instant } from '@skein/serving';
import { afterFailure, type Circuit, CLOSED, isAsked } from '../routing/circuit.ts';
import { Refusals } from '../routing/refusals.ts';
import { CIRCUIT_MS } from '../tuning.ts';
import { Exchange } from './exchange.ts';
import { encodeFrame, type Frame } from './frame.ts';
import {
  type AnswerMeta,
  type ChangeAnswer,
  errorOf,
  type ForwardedChange,
  PATHS,
  probeMeta,
  type QuoteMeta,
  quoteOf,
  requestMeta,
  textOf,
  timesOf,
} from './messages.ts';
import { type LinkOptions, openLink } from './open-link.ts';
import { RoundTrip } from './round-trip.ts';

/** The outcome of a forwarded request. */
export type Outcome =
  | { readonly answer: InferenceAnswer }
  /** The peer refused or failed it, and sent the error. */
  | { readonly error: SkeinError }
  /** The connection ended before an answer. `sent`: whether the peer may have run the request. */
  | { readonly lost: true; readonly sent: boolean };

export interface PeerOptions extends LinkOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Largest answer, in bytes. */
  readonly maxBytes: number;
  /** Counts the bytes of an answer that has not arrived whole. */
  readonly budget: Pick<SharedBudget, 'hold'>;
}

/** For a new connection, in milliseconds: a round trip in a network, or the peer is not there. */
const CONNECT_MS = 2000;

export class Peer {
  readonly address: string;
  readonly refusals = new Refusals();
  readonly #options: PeerOptions;
  readonly #roundTrip = new RoundTrip();
  #circuit: Circuit = CLOSED;
  #session: ClientHttp2Session | undefined;
  #opening: Promise<ClientHttp2Session> | undefined;
  #isClosed = false;

  constructor(address: string, options: PeerOptions) {
    this.address = address;
    this.#options = options;
  }

  /** Whether it is worth asking now. */
  isAsked(now: number): boolean {
    return isAsked(this.#circuit, now);
  }

  /** The way to it and back, in milliseconds; 0 while that is not known. */
  get roundTripMs(): number {
    return this.#roundTrip.ms;
  }

  /** @returns undefined if it does not answer within the time. */
  async probe(request: InferenceRequest, timeoutMs: number): Promise<QuoteMeta | undefined> {
    const late = Promise.withResolvers<undefined>();
    const silent = Promise.withResolvers<undefined>();
    let isLate = false;
    let timer = setTimeout(() => {
      isLate = true;
      late.resolve(undefined);
      // A caller without more time does not count against the member.
      timer = setTimeout(silent.resolve, CIRCUIT_MS.silence - timeoutMs, undefined);
    }, timeoutMs);
    const quote = this.#quote(request, silent.promise, () => isLate);
    void quote.then(() => clearTimeout(timer));
    return Promise.race([quote, late.promise]);
  }

  /** @param silent resolves when it should have answered. @returns undefined: it has sent no answer, or an empty one. */
  async #quote(
    request: InferenceRequest,
    silent: Promise<undefined>,
    isLate: () => boolean,
  ): Promise<QuoteMeta | undefined> {
    try {
      const session = this.#usable() ?? (await Promise.race([this.#open(), silent]));
      if (session === undefined) return this.#failed();
      if (isLate()) return undefined;
      const meta = probeMeta(request, this.#options.clock.now(), this.roundTripMs);
      const exchange = this.#exchange<QuoteMeta>(
        session,
        PATHS.probe,
        encodeFrame(meta),
        request.tenant,
      );
      const frame = await Promise.race([exchange.next(), silent]);
      if (frame === undefined) exchange.cancel();
      else exchange.end();
      const quote = frame && quoteOf(frame.meta);
      if (quote === undefined) return this.#failed();
      this.#circuit = CLOSED;
      return quote;
    } catch {
      return this.#failed();
    }
  }

  /** @param connectBy until when it waits for a connection, by the clock. */
  async forward(request: InferenceRequest, connectBy: Instant): Promise<Outcome> {
    const { cancellation, deadline } = request;
    const { clock } = this.#options;
    let exchange: Exchange<AnswerMeta>;
    try {
      const session =
        this.#usable() ?? (await within(this.#open(), connectBy - clock.now(), () => undefined));
      if (session === undefined) return { lost: true, sent: false };
      if (cancellation?.cancelled === true || request.memory?.isFreed === true) {
        return { error: cancelled(request) };
      }
      const meta = requestMeta(request, clock.now(), this.roundTripMs);
      exchange = this.#exchange(
        session,
        PATHS.infer,
        encodeFrame(meta, request.inputs),
        request.tenant,
        request.memory,
      );
    } catch {
      this.#failed();
      return { lost: true, sent: false };
    }
    let ended: SkeinError | undefined;
    const end = (error: SkeinError): void => {
      ended = error;
      exchange.cancel();
    };
    if (cancellation !== undefined) {
      cancellation.onCancel = () => end(cancelled(request));
    }
    const timer =
      deadline === undefined
        ? undefined
        : setTimeout(() => end(tooLate(request)), timerMs(deadline - clock.now()));
    const frame = await exchange.next();
    clearTimeout(timer);
    if (ended !== undefined) return { error: ended };
    const isMore = frame?.meta.more === true;
    if (frame === undefined || (isMore && request.takesChunks !== true)) {
      // Chunks that no reader takes would be kept for as long as the connection.
      exchange.end();
      this.#failed();
      return { lost: true, sent: !exchange.wasRefused };
    }
    this.#circuit = CLOSED;
    const { error } = frame.meta;
    if (!isMore) {
      exchange.end();
      if (cancellation !== undefined) cancellation.onCancel = undefined;
    }
    return error === undefined
      ? { answer: this.#answer(frame, exchange) }
      : { error: errorOf(error) };
  }

  /**
   * Asks it for a change of a deployment.
   * @returns undefined: it has not read the change, so another member may be asked.
   * @throws SkeinError as it does; PEER_LOST when the change may have been made.
   */
  async change(change: ForwardedChange): Promise<{ readonly result: unknown } | undefined> {
    let exchange: Exchange<ChangeAnswer>;
    try {
      const session = this.#usable() ?? (await this.#open());
      exchange = this.#exchange(session, PATHS.change, encodeFrame(change));
    } catch {
      return this.#failed();
    }
    const frame = await exchange.next();
    if (frame === undefined) {
      this.#failed();
      if (exchange.wasRefused) return undefined;
      const message = `The member at ${this.address} was lost during a change; look at whether it was made.`;
      throw new SkeinError('PEER_LOST', message);
    }
    exchange.end();
    const { error, result } = frame.meta;
    if (error !== undefined) throw errorOf(error);
    return { result };
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
  }

  #answer({ meta, tensors }: Frame<AnswerMeta>, exchange: Exchange<AnswerMeta>): InferenceAnswer {
    const { version = '', cached = false, more } = meta;
    const answer = { version: textOf(version), outputs: tensors, times: timesOf(meta), cached };
    return more === true ? { ...answer, rest: chunksOf(exchange, this.address) } : answer;
  }

  #exchange<Meta>(
    session: ClientHttp2Session,
    path: string,
    parts: Buffer[],
    tenant = '',
    memory?: OwnedMemory,
  ): Exchange<Meta> {
    const { maxBytes, budget } = this.#options;
    return new Exchange<Meta>(
      session,
      path,
      parts,
      { maxBytes, hold: budget.hold(tenant) },
      memory,
    );
  }

  #failed(): undefined {
    const { clock, random } = this.#options;
    this.#circuit = afterFailure(this.#circuit, clock.now(), random());
  }

  #usable(): ClientHttp2Session | undefined {
    const session = this.#session;
    return session === undefined || session.closed || session.destroyed ? undefined : session;
  }

  #open(): Promise<ClientHttp2Session> {
    this.#opening ??= openLink(this.address, this.#options, CONNECT_MS)
      .then(async (session) => {
        await this.#roundTrip.follow(session);
        if (this.#isClosed) session.close();
        this.#session = session;
        return session;
      })
      .catch((error: unknown) => {
        // Requests that wait for it may have given up before.
        this.#failed();
        throw error;
      })
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }
}

async function* chunksOf(
  exchange: Exchange<AnswerMeta>,
  address: string,
): AsyncGenerator<TensorMap> {
  try {
    for (;;) {
      const frame = await exchange.next();
      if (frame === undefined) {
        const message = `The member at ${address} was lost between two chunks of its answer.`;
        throw new SkeinError('PEER_LOST', message);
      }
      const { error, more } = frame.meta;
      if (error !== undefined) throw errorOf(error);
      if (more !== true) return;
      yield frame.tensors;
    }
  } finally {
    exchange.cancel();
  }
}

function cancelled({ id }: InferenceRequest): SkeinError {
  return new SkeinError('CANCELLED', `Request ${id} was cancelled.`);
}

function tooLate({ id }: InferenceRequest): SkeinError {
  const message = `Request ${id} was not answered by the member that took it before its deadline.`;
  return new SkeinError('DEADLINE_EXCEEDED', message);
}
