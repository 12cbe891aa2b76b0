/**
 * An upstream's failure as a coded error. Its `cause` shows the router more: whether
 * another try may help, and which quota is spent.
 */
import { SkeinError, type ErrorCode } from '@skein/api/errors';

/** The cause of a coded error of an upstream. It holds nothing that an upstream could have echoed. */
export class UpstreamFault extends Error {
  /** HTTP status, if it answered. */
  readonly status: number | undefined;
  /** The upstream's name of the quota that is spent, such as `GenerateRequestsPerDayPerProject`. */
  readonly quotaId: string | undefined;
  /** The field of the request that it refuses. */
  readonly param: string | undefined;
  /** Whether every model at the upstream would meet it, such as a quota of the whole key. */
  readonly isOfBackend: boolean;
  /** Whether it refuses the key: each tenant of the route would meet it, but perhaps no other model. */
  readonly isOfKey: boolean;

  constructor(details: {
    status?: number;
    quotaId?: string | undefined;
    param?: string | undefined;
    isOfBackend?: boolean | undefined;
    isOfKey?: boolean | undefined;
  }) {
    super('the upstream failed');
    this.status = details.status;
    this.isOfBackend = details.isOfBackend === true;
    this.isOfKey = details.isOfKey === true;
    this.quotaId = nameOf(details.quotaId);
    this.param = nameOf(details.param);
  }
}

/** Names are kept, shown and compared: of an upstream's, so many characters. */
const LONGEST_NAME = 100;
const nameOf = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : quoted(text).slice(0, LONGEST_NAME);

interface Failure {
  readonly provider: string;
  readonly message: string;
  readonly status?: number;
  readonly retryAfterMs?: number | undefined;
  readonly quotaId?: string | undefined;
  readonly param?: string | undefined;
  readonly isOfBackend?: boolean | undefined;
  readonly isOfKey?: boolean | undefined;
}

/** No quota is reset later than in a month, whatever an upstream reports: some send a point in time. */
const LONGEST_WAIT_MS = 31 * 86_400_000;

export function upstreamError(code: ErrorCode, failure: Failure): SkeinError {
  const { provider, message, retryAfterMs } = failure;
  return new SkeinError(code, `Provider ${provider}: ${sentence(message)}`, {
    cause: new UpstreamFault(failure),
    ...(retryAfterMs === undefined
      ? {}
      : { retryAfterMs: Math.min(retryAfterMs, LONGEST_WAIT_MS) }),
  });
}

/** The provider and model of a request. */
export interface Asked {
  readonly provider: string;
  /** Its name there. */
  readonly model: string;
}

/** The upstream answers 404: it has no such model, or not this API at its address. */
export function unknownModel(
  { provider, model }: Asked,
  { status, message }: Pick<Failure, 'status' | 'message'>,
): SkeinError {
  return upstreamError('PROVIDER_MODEL_UNKNOWN', {
    provider,
    ...(status === undefined ? {} : { status }),
    message: `it does not have the model "${model}": ${message}`,
  });
}

/** The words of a provider often end without a full stop, and a fix follows the message. */
function sentence(text: string): string {
  const trimmed = text.trimEnd();
  return /[.!?…]["'”’)]?$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** The part of an error that the router reads. */
export function faultOf(error: unknown): UpstreamFault | undefined {
  return error instanceof SkeinError && error.cause instanceof UpstreamFault
    ? error.cause
    : undefined;
}

/** How much of an upstream's own words a message repeats, in characters. */
const QUOTED = 300;

/** Control characters would forge lines of a log. */
export function quoted(text: unknown): string {
  if (typeof text !== 'string') return typeof text === 'number' ? String(text) : '';
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, QUOTED);
}

/** Errors of the network by Node's codes: the rest of the error may name addresses of the operator. */
const NETWORK: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name does not resolve now',
  ECONNREFUSED: 'it refuses the connection',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to it',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not trusted',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

export function networkError(provider: string, error: unknown, hasHead: boolean): SkeinError {
  if (error instanceof SkeinError) return error;
  const { code = '' } = error as { code?: string };
  if (hasHead) {
    return upstreamError('PROVIDER_CUT', {
      provider,
      message: 'the connection ended in the middle of the answer.',
    });
  }
  const words = NETWORK[code] ?? (/SSL|TLS/.test(code) ? 'TLS failed' : 'the connection failed');
  return upstreamError('PROVIDER_UNREACHABLE', {
    provider,
    message: `${words}${code === '' ? '' : ` (${code})`}.`,
  });
}
