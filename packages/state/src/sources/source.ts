/** A place that model files are fetched from, and its errors. */
import { SkeinError } from '@skein/api/errors';

export interface Source {
  /** The address without secrets, for messages and for the version. */
  readonly address: string;
  /** Name for a deployment. */
  readonly name: string;
  /** The model file. */
  readonly fileName: string;
  /** The commit that a name of a revision stood for. */
  readonly revision?: string;
  /**
   * The bytes of a file from an offset on.
   * @param name of the model file, or of a file next to it.
   * @throws SkeinError SOURCE_UNKNOWN, SOURCE_DENIED, SOURCE_PRIVATE; Error when the connection fails.
   */
  open(name: string, from: Offset, signal: AbortSignal): Promise<Opened>;
}

export interface Offset {
  /** Bytes that are here already. */
  readonly start: number;
  /** The entity tag under which they came. */
  readonly tag: string | undefined;
  /** Exclusive: only this part is asked for, and a server may send all of the file. Absent: to the end. */
  readonly end?: number | undefined;
}

export interface Opened {
  /** Zero where the file has changed, or the server sends all of it. */
  readonly start: number;
  /** A strong entity tag: without one the download cannot be continued. */
  readonly tag: string | undefined;
  /** Size of the whole file, where the server states it. */
  readonly totalBytes: number | undefined;
  /** Differs after a change of the file: a strong entity tag, a generation, or else a time. */
  readonly identity: string | undefined;
  /** The sha-256 that the server states, in hex. */
  readonly digest?: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface SourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the source may be on this machine or its network. */
  readonly allowPrivate: boolean;
  /** The environment's variable that holds a bearer token for an `https:` address. */
  readonly tokenEnv?: string | undefined;
  readonly signal: AbortSignal;
  /** The longest silence of a server. Default: 20 s. */
  readonly silenceMs?: number | undefined;
}

export function unknownSource(address: string, why: string): SkeinError {
  return new SkeinError('SOURCE_UNKNOWN', `"${address}" ${why}.`);
}

export function deniedSource(address: string, why: string): SkeinError {
  return new SkeinError('SOURCE_DENIED', `"${address}" cannot be read: ${why}.`);
}
