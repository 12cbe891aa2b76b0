/** Errors of calls to language models and of their providers. */
import {
  FORBIDDEN,
  GRPC,
  INVALID,
  OVER_LIMIT,
  TIMED_OUT,
  UNAVAILABLE,
  UPSTREAM,
  type ErrorRow,
} from './row.ts';

export const LANGUAGE_ERRORS = {
  PROVIDER_UNREACHABLE: {
    ...UPSTREAM,
    meaning:
      'No connection to the provider of the model: its name does not resolve, it refuses, or its certificate is not trusted.',
    fix: 'Check the address of the provider; for a certificate of your own, start the node with NODE_EXTRA_CA_CERTS.',
    retryMs: 1000,
  },
  PROVIDER_FAILED: {
    ...UPSTREAM,
    meaning:
      'The provider of the model answered with an error of its own, or with bytes that are not an answer.',
    fix: 'Send the request again; add a second provider to the model, which then takes over.',
    retryMs: 1000,
  },
  PROVIDER_CUT: {
    ...UPSTREAM,
    meaning: 'The provider ended its answer without marking it complete.',
    fix: 'Send the request again; what has arrived is a part of the answer.',
    retryMs: 1000,
  },
  PROVIDER_TIMEOUT: {
    ...TIMED_OUT,
    meaning:
      'The provider sent no first token by the deadline, or no next one within the gap of the model.',
    fix: 'Send the request again, give the model a longer objective, or add a second provider to it.',
    retryMs: 1000,
  },
  PROVIDER_BUSY: {
    ...OVER_LIMIT,
    meaning: 'The provider limits the rate of its key, or is overloaded.',
    fix: 'Retry after Retry-After; raise the quota at the provider, or add a second one to the model.',
    retryMs: 1000,
  },
  PROVIDER_QUOTA: {
    ...OVER_LIMIT,
    meaning: 'The quota of the provider’s key is spent until its reset, which is hours away.',
    fix: 'Wait for Retry-After, raise the quota at the provider, or add a second one to the model.',
    retryMs: 3_600_000,
  },
  PROVIDER_DENIED: {
    http: 502,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'load',
    meaning: 'The provider refuses the key that the node sends, or it has none.',
    fix: 'The operator corrects the secret of the provider, or lets its key use the model; the message names both.',
    retryMs: 60_000,
  },
  PROVIDER_MODEL_UNKNOWN: {
    http: 502,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'load',
    meaning:
      'The provider does not have the model of the route, or does not offer this API at its address.',
    fix: 'The operator corrects the model of the route, or the address of the provider; `skein model put` asks the provider.',
    retryMs: 60_000,
  },
  PROVIDER_REJECTED: {
    ...INVALID,
    meaning: 'The provider refused the request itself.',
    fix: 'Correct the request by the message of the provider.',
  },
  CONTENT_FILTERED: {
    ...INVALID,
    meaning: 'The provider’s content filter blocked the prompt. Other providers are not asked.',
    fix: 'Change the prompt.',
  },
  CONTEXT_TOO_LONG: {
    ...INVALID,
    meaning: 'The prompt and the requested tokens exceed the context of the model.',
    fix: 'Send fewer or shorter messages, or a smaller max_tokens; the message has both numbers.',
  },
  GENERATION_UNSUPPORTED: {
    http: 400,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'No provider of the model can do what the request asks for.',
    fix: 'Leave out what the message names, or use a model that can.',
  },
  RESPONSE_UNKNOWN: {
    http: 404,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'No response of this id is stored for the key that asks.',
    fix: 'Use a stored id of the same key: the operator bounds their age and number. Or send the items of the conversation in "input". `skein responses put` turns storing on.',
  },
  PROVIDER_FORBIDDEN: {
    ...FORBIDDEN,
    meaning: 'The tenant may not send its data to any provider of the model.',
    fix: 'Use a model with a provider that is allowed to the tenant; `GET /v1/models` lists them.',
  },
  PROVIDER_INVALID: {
    ...INVALID,
    meaning: 'A provider, model or budget is declared in a way that cannot work.',
    fix: 'Correct the field that the message names.',
  },
  PROVIDERS_UNAVAILABLE: {
    ...UNAVAILABLE,
    meaning:
      'Every provider of the model has failed recently or has no free place, so none was asked.',
    fix: 'Retry after Retry-After; the console shows which provider is away, and why.',
    retryMs: 1000,
  },
  BUDGET_SPENT: {
    ...OVER_LIMIT,
    meaning:
      'The worst case of the request is more than what is left of a budget of money or tokens.',
    fix: 'Ask for fewer tokens with max_tokens, wait for the next period, or raise the budget.',
    retryMs: 60_000,
  },
} as const satisfies Record<string, ErrorRow>;
