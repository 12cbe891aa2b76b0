/** One row of the API: its input, who may call it, and its result. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { User } from './accounts.ts';

export type Access = 'public' | 'user' | 'admin';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface Call<Parameters, Body> {
  readonly parameters: Parameters;
  readonly body: Body;
  readonly exchange: Exchange;
}

/** Result of a handler that writes the answer itself. */
export const ANSWERED = Symbol('answered');

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With `{name}` for a segment, and `{name+}` for all remaining segments. */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  /** Schema of the path and the query, as strings. */
  readonly parameters: z.ZodObject;
  readonly body: z.ZodType | undefined;
  readonly status: number;
  /** Schema of the JSON answer; or another media type. */
  readonly answer: z.ZodType | string;
  readonly handle: (
    call: Call<Record<string, unknown>, unknown>,
    user: User | undefined,
  ) => unknown;
}

interface RouteOptions<P extends z.ZodObject, B extends z.ZodType, A extends Access> {
  readonly access: A;
  readonly summary: string;
  readonly parameters: P;
  readonly body?: B;
  readonly status?: number;
  readonly answer: z.ZodType | string;
  /** @returns the answer, or ANSWERED. */
  readonly handle: (
    call: Call<z.output<P>, z.output<B>>,
    user: A extends 'public' ? User | undefined : User,
  ) => unknown;
}

/** @param at method and path: `GET /api/v1/problems/{problem}`. */
export function route<
  P extends z.ZodObject,
  A extends Access,
  B extends z.ZodType = z.ZodUndefined,
>(at: `${Route['method']} /${string}`, options: RouteOptions<P, B, A>): Route {
  const [method, path] = at.split(' ') as [Route['method'], string];
  const { status = 200, body, handle } = options;
  return { ...options, method, path, status, body, handle: handle as Route['handle'] };
}
