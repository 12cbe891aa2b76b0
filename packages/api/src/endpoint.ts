/** One row of an HTTP API, and the types that follow from it. */
import type { z } from 'zod';
import { SkeinError, type ErrorCode } from './errors.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * From this value follow the route, the validation of its requests, its part of the OpenAPI document
 * and the types of its handler and its client.
 */
export interface Endpoint<Scope extends string = string> {
  readonly method: Method;
  /**
   * Parameters in braces, each one whole segment: `/api/v1/deployments/{name}`; the last may be the
   * rest of the path: `{path+}`.
   */
  readonly path: `/${string}`;
  /** One sentence. */
  readonly summary: string;
  readonly description?: string;
  /** The right that a caller needs; `public` needs no key. */
  readonly scope: Scope;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** A JSON body. */
  readonly body?: z.ZodObject;
  /** Bytes of the JSON body. Default: the limit of the service. */
  readonly maxBodyBytes?: number;
  /** A raw body that is streamed: its media type. */
  readonly upload?: string;
  /** Status of success, where it is neither 200 nor, without an answer, 204. */
  readonly status?: 201 | 202;
  /** The JSON answer. */
  readonly response?: z.ZodType;
  /** Path of what the call has created, with fields of the answer in braces. */
  readonly location?: string;
  /** The answer is a raw body that is streamed: its media type. */
  readonly download?: string;
  /** The answer is a stream of server-sent events of this type instead. */
  readonly events?: z.ZodType;
  /** How an event is put into the stream, for the documentation. */
  readonly eventsAre?: string;
  /** The endpoint's own codes. Every endpoint, each body and each stream add theirs. */
  readonly errors?: readonly ErrorCode[];
  /** A request that works, for the documentation. */
  readonly example?: {
    readonly params?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, string>>;
    readonly body?: Readonly<Record<string, unknown>>;
    /** A file name for an upload. */
    readonly file?: string;
  };
}

/** One row of the management API of a node. `public`: the caller proves itself otherwise, as a device does. */
export interface NodeEndpoint extends Endpoint<'read' | 'jobs' | 'admin' | 'infer' | 'public'> {
  readonly path: `/api/v1/${string}`;
}

/** The HTTP status of success. */
export function statusOf({ status, response, download, events }: Endpoint): number {
  return status ?? ((response ?? download ?? events) === undefined ? 204 : 200);
}

/** Codes that any endpoint of a node may answer with. */
export const COMMON_ERRORS = [
  'REQUEST_INVALID',
  'KEY_MISSING',
  'KEY_INVALID',
  'SCOPE_MISSING',
  'ORIGIN_FORBIDDEN',
  'RATE_LIMITED',
  'NODE_DRAINING',
  'INTERNAL',
] as const satisfies readonly ErrorCode[];

const UPLOAD_ERRORS = [
  'BODY_TOO_LARGE',
  'BODIES_TOO_LARGE',
  'BODY_TOO_SLOW',
  'ENCODING_UNSUPPORTED',
] as const satisfies readonly ErrorCode[];

/** Codes of every endpoint with a body in JSON. */
export const BODY_ERRORS = ['BODY_NOT_JSON', ...UPLOAD_ERRORS] as const;

/** The endpoint's own codes, and the codes of its body and stream, beyond the codes of every endpoint. */
export function errorsOf({ errors = [], body, upload, events }: Endpoint): readonly ErrorCode[] {
  return [
    ...(body === undefined ? [] : BODY_ERRORS),
    ...(upload === undefined ? [] : UPLOAD_ERRORS),
    ...errors,
    // Each tenant has a share of the streams.
    ...(events === undefined ? [] : (['QUOTA_EXCEEDED'] as const)),
  ];
}

type InputOf<E, Part extends string> =
  E extends Record<Part, infer S extends z.ZodType> ? z.input<S> : unknown;

/**
 * The argument of a method of the typed client: path, query and body fields side by side, and
 * `content` for an upload.
 */
export type RequestOf<E extends Endpoint> = InputOf<E, 'params'> &
  InputOf<E, 'query'> &
  InputOf<E, 'body'> &
  (E extends { upload: string } ? { readonly content: Blob | Uint8Array<ArrayBuffer> } : unknown);

/** A validated part of a request, as the service sees it: defaults are filled in. */
export type PartOf<E, Part extends 'params' | 'query' | 'body'> =
  E extends Record<Part, infer S extends z.ZodType> ? z.output<S> : undefined;

/** The result of a method of the typed client. */
export type ResponseOf<E extends Endpoint> = E extends { response: infer S extends z.ZodType }
  ? z.output<S>
  : E extends { download: string }
    ? ReadableStream<Uint8Array<ArrayBuffer>>
    : undefined;

/** The parameter names of a path, in its order. */
export function parametersOf(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\+?\}/g)].map((match) => match[1] ?? '');
}

/**
 * Puts parameters into a path, percent-encoded; the slashes of the rest of a path, `{path+}`, stay.
 * @throws SkeinError REQUEST_INVALID for a value that no path can carry: every URL parser resolves
 *   `.` and `..` away, also when they are encoded, and a lone surrogate has no UTF-8.
 */
export function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)(\+?)\}/g, (_, name: string, rest: string) => {
    const value = params[name] ?? '';
    if (value === '') throw new SkeinError('REQUEST_INVALID', `"${name}" must not be empty.`);
    const segments = rest === '' ? [value] : value.split('/');
    if (segments.some((each) => /^\.\.?$/.test(each)) || !value.isWellFormed()) {
      throw new SkeinError('REQUEST_INVALID', `"${name}" must not be ${JSON.stringify(value)}.`);
    }
    return segments.map(encodeURIComponent).join('/');
  });
}
