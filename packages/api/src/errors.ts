/**
 * The error table: every error that a user can get has a code here, with its HTTP and gRPC status,
 * the party that has to act, and the fix. `errors/` has the rows, a file per area.
 * `docs/reference/errors.md` is generated from them, and a test fails when the two drift apart.
 *
 * A message states what happened, with the offending value; the fix gives the next step. Messages of
 * faults contain no internals.
 */
import { ACCESS_ERRORS } from './errors/access.ts';
import { DATA_SET_ERRORS } from './errors/data-sets.ts';
import { EDGE_ERRORS } from './errors/edge.ts';
import { FEDERATION_ERRORS } from './errors/federation.ts';
import { FLEET_ERRORS } from './errors/fleet.ts';
import { LANGUAGE_ERRORS } from './errors/language.ts';
import { HEALTH_ERRORS } from './errors/health.ts';
import { JOB_ERRORS } from './errors/jobs.ts';
import { JUDGE_ERRORS } from './errors/judge.ts';
import { LOCAL_MODEL_ERRORS } from './errors/local-models.ts';
import { NODE_ERRORS } from './errors/node.ts';
import { REQUEST_ERRORS } from './errors/request.ts';
import { SECURE_AGGREGATION_ERRORS } from './errors/secure-aggregation.ts';
import { SERVING_ERRORS } from './errors/serving.ts';
import { SOURCE_ERRORS } from './errors/sources.ts';
import { SITE_ERRORS } from './errors/site.ts';
import { TRAINING_ERRORS } from './errors/training.ts';
import type { ErrorRow } from './errors/row.ts';

export const ERRORS = {
  ...REQUEST_ERRORS,
  ...ACCESS_ERRORS,
  ...SERVING_ERRORS,
  ...SOURCE_ERRORS,
  ...JOB_ERRORS,
  ...DATA_SET_ERRORS,
  ...TRAINING_ERRORS,
  ...SITE_ERRORS,
  ...SECURE_AGGREGATION_ERRORS,
  ...JUDGE_ERRORS,
  ...HEALTH_ERRORS,
  ...FLEET_ERRORS,
  ...LANGUAGE_ERRORS,
  ...LOCAL_MODEL_ERRORS,
  ...FEDERATION_ERRORS,
  ...EDGE_ERRORS,
  ...NODE_ERRORS,
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The format of an error in HTTP bodies and in `--json` output. */
export interface ErrorBody {
  /** The event, in one sentence. The Open Inference Protocol requires a string in this field. */
  readonly error: string;
  readonly code: ErrorCode;
  readonly fix: string;
  readonly retryAfterMs?: number;
}

/** The one error class that crosses module borders. Any other thrown error is a fault of Skein. */
export class SkeinError extends Error {
  override readonly name = 'SkeinError';
  readonly code: ErrorCode;
  /** When the same request may succeed, in milliseconds from now; absent if waiting does not help. */
  readonly retryAfterMs: number | undefined;

  /**
   * @param message what happened, with the offending value.
   * @param options.retryAfterMs default: of the table; Infinity: waiting does not help.
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number } = {},
  ) {
    const { kind, retryMs }: ErrorRow = ERRORS[code];
    // A refusal under load is an answer, and a busy node gives thousands: a stack takes 5 to 50 µs.
    const { stackTraceLimit } = Error;
    if (kind === 'load') Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    const waitMs = options.retryAfterMs ?? retryMs;
    this.retryAfterMs = waitMs === Infinity ? undefined : waitMs;
  }

  /** Whether an error that comes from elsewhere, such as another thread, can be one of these. */
  static accepts({ code }: { readonly code?: unknown }): boolean {
    return typeof code === 'string' && Object.hasOwn(ERRORS, code);
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }

  /** Value of the header `Retry-After`: whole seconds, at least one. */
  get retryAfterSeconds(): number | undefined {
    const { retryAfterMs: ms } = this;
    return ms === undefined ? undefined : Math.max(1, Math.ceil(ms / 1000));
  }

  toBody(): ErrorBody {
    return {
      error: this.message,
      code: this.code,
      fix: this.row.fix,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
    };
  }
}
