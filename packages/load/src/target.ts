/** The requests and their destination. A plain value: it is sent to the worker that sends. */
import type { Trust } from './sending/trust.ts';

export interface LoadTarget {
  readonly protocol: 'http' | 'grpc';
  readonly host: string;
  readonly port: number;
  /** Over TLS, and the trusted certificates; absent: plain text. */
  readonly tls?: Trust;
  /** `/v2/models/risk/infer`, or for gRPC `/inference.GRPCInferenceService/ModelInfer`. */
  readonly path: string;
  /** Headers in addition to host, content-length and connection, which are always sent. Lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Sent in turn. For HTTP the body of the POST; for gRPC the protobuf message, without its
   * five-byte frame header.
   */
  readonly bodies: readonly Uint8Array[];
}

/** How one request ended, as far as the response shows it. */
export interface WireAnswer {
  /** `ok`: answered. `refused`: refused for lack of capacity. `failed`: anything else. */
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** Why not `ok`: an error code of the server, or the status. Empty when `ok`. */
  readonly reason: string;
}

/** Sends requests to one target. One object per worker thread. */
export interface Sender {
  /**
   * Sends the next body at once, or when a connection is free.
   * @param done called exactly once, later than `send` returns.
   */
  send(done: (answer: WireAnswer) => void, timeoutMs: number): void;
  /** Opens connections in advance, so that the first requests do not wait for them. */
  warm(connections: number): Promise<void>;
  close(): void;
}

export const ANSWERED: WireAnswer = { outcome: 'ok', reason: '' };
