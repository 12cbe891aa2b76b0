/** A row of the error table. */
export interface ErrorRow {
  /** HTTP status. */
  readonly http: number;
  /** gRPC status code (google.rpc.Code). */
  readonly grpc: number;
  /**
   * `user`: the request must change. `load`: the same request may succeed later. `fault`: a fault
   * of Skein.
   */
  readonly kind: 'user' | 'load' | 'fault';
  /** When it happens, for the reference page. */
  readonly meaning: string;
  /** The next step of the reader. */
  readonly fix: string;
  /**
   * Wait before the same request is worth another try, in milliseconds, where the refusal itself
   * computes none. Each refusal under load that a node sends has one.
   */
  readonly retryMs?: number;
}

/** Codes of google.rpc.Code. */
export const GRPC = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** The usual statuses of rows: equal codes of HTTP and gRPC, and who has to act. */
export const INVALID = { http: 400, grpc: GRPC.INVALID_ARGUMENT, kind: 'user' } as const;
export const PRECONDITION = { http: 400, grpc: GRPC.FAILED_PRECONDITION, kind: 'user' } as const;
export const UNAUTHENTICATED = { http: 401, grpc: GRPC.UNAUTHENTICATED, kind: 'user' } as const;
export const FORBIDDEN = { http: 403, grpc: GRPC.PERMISSION_DENIED, kind: 'user' } as const;
export const UNKNOWN = { http: 404, grpc: GRPC.NOT_FOUND, kind: 'user' } as const;
export const CONFLICT = { http: 409, grpc: GRPC.FAILED_PRECONDITION, kind: 'user' } as const;
export const EXISTS = { http: 409, grpc: GRPC.ALREADY_EXISTS, kind: 'user' } as const;
export const OVER_LIMIT = { http: 429, grpc: GRPC.RESOURCE_EXHAUSTED, kind: 'load' } as const;
export const UNAVAILABLE = { http: 503, grpc: GRPC.UNAVAILABLE, kind: 'load' } as const;
/** The request can be read, and cannot be used. */
export const UNFIT = { http: 422, grpc: GRPC.FAILED_PRECONDITION, kind: 'user' } as const;
/** An agreed term does not hold. */
export const UNMET = { http: 412, grpc: GRPC.FAILED_PRECONDITION, kind: 'user' } as const;
/** Another piece of work is in the way. */
export const NOT_NOW = { http: 409, grpc: GRPC.FAILED_PRECONDITION, kind: 'load' } as const;
export const UPSTREAM = { http: 502, grpc: GRPC.UNAVAILABLE, kind: 'load' } as const;
export const TIMED_OUT = { http: 504, grpc: GRPC.DEADLINE_EXCEEDED, kind: 'load' } as const;
export const FAULT = { http: 500, grpc: GRPC.INTERNAL, kind: 'fault' } as const;
