/**
 * The messages between faces, the gateway and providers of language models.
 *
 *   face ─ GenerateRequest ─▶ gateway (admission, routing, budgets, caches) ─▶ provider
 *   face ◀─ GenerateEvent … ─ gateway ◀──────────────────────────────────────── provider
 *
 * A face and a provider are codecs around one stream of events. The stream is whole only when it
 * has a `finish` for each choice: a provider whose upstream ends without one throws
 * PROVIDER_CUT, and the gateway checks it again. Errors are thrown as SkeinError, never sent as
 * events. What a codec does not know travels in `extra`, in the wire's own words: a codec writes
 * back the fields of the wire it speaks, at the place where it read them.
 */
import type { RouteCheck } from './check-routes.ts';
import type { Instant, TraceContext } from '@skein/serving';
import type { GatewayView, LanguageModelView, ModelView } from './views.ts';

/**
 * Fields of the wire that the contract has no word for, in OpenAI's form. Fields of Gemini's wire are
 * where Google's own OpenAI form has them: under `extra_body.google` of a request, and under
 * `extra_content.google` of a part, a call or an event.
 */
export type Extra = Readonly<Record<string, unknown>>;

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
  readonly extra?: Extra | undefined;
}

export interface ImagePart {
  readonly type: 'image';
  /** An `https:` address, or a `data:` URL with the bytes in base64. */
  readonly url: string;
  /** The image's own field is `detail`; other fields are under `image_url`. */
  readonly extra?: Extra | undefined;
}

/** A part of another kind, such as audio or a file, in the words of OpenAI's wire. */
export interface OtherPart {
  readonly type: 'other';
  readonly value: Extra;
}

export type Part = TextPart | ImagePart | OtherPart;

/** A call of the model to a tool of the client. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, as the model wrote it. */
  readonly arguments: string;
  /**
   * Includes `extra_content.google.thought_signature`; without it Gemini refuses the next turn.
   * Fields of the function itself are under `function`.
   */
  readonly extra?: Extra | undefined;
}

export interface Message {
  /** `system` includes OpenAI's `developer`. */
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: readonly Part[];
  /** An assistant's reasoning, where the client sends it back. */
  readonly reasoning?: string | undefined;
  /** Calls by an assistant. */
  readonly toolCalls?: readonly ToolCall[] | undefined;
  /** The call that a tool's message answers. */
  readonly toolCallId?: string | undefined;
  /** A tool's name, or the participant's name in messages of other roles. */
  readonly name?: string | undefined;
  readonly extra?: Extra | undefined;
}

export interface Tool {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON Schema of its arguments. */
  readonly parameters?: Extra | undefined;
  readonly strict?: boolean | undefined;
  /** Fields of the function itself are under `function`. */
  readonly extra?: Extra | undefined;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

/** JSON Schema that the text must satisfy, or any JSON object. */
export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json' }
  | {
      readonly type: 'schema';
      readonly name: string;
      readonly schema: Extra;
      readonly strict?: boolean | undefined;
    };

export interface Sampling {
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly minP?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
  readonly seed?: number | undefined;
}

/** The beginning of an answer that a provider is to continue, instead of beginning another one. */
export interface Continuation {
  readonly text: string;
  /** Its tokens, as the provider itself has named them: the text alone may have others. */
  readonly tokens?: { readonly provider: string; readonly ids: readonly number[] } | undefined;
}

export interface GenerateRequest {
  /** For the gateway: the model that the operator declared. For a provider: its own name of the model. */
  readonly model: string;
  readonly messages: readonly Message[];
  /** Continues this text instead of answering messages, without a chat template: `/v1/completions`. */
  readonly prompt?: string | undefined;
  readonly tools?: readonly Tool[] | undefined;
  readonly toolChoice?: ToolChoice | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  readonly sampling?: Sampling | undefined;
  /** Tokens of the answer at most, reasoning included. */
  readonly maxTokens?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly format?: ResponseFormat | undefined;
  /** Alternatives per token to report, 0–20; absent: no log probabilities. */
  readonly logprobs?: number | undefined;
  /** How hard the model thinks, in the provider's words: `low`, `medium`, `high` … */
  readonly effort?: string | undefined;
  /** Answers to generate. Default: 1. */
  readonly choices?: number | undefined;
  /** Only of a provider that `continues`. The answer is what follows. */
  readonly continuation?: Continuation | undefined;
  /** Whether the answer may be continued: a local model names the tokens of its text. */
  readonly isContinuable?: boolean | undefined;
  /** Whether the caller reads the tokens as they come; a provider may otherwise answer at once. */
  readonly stream: boolean;
  readonly extra?: Extra | undefined;
}

export interface TokenLogprob {
  readonly token: string;
  /** Natural logarithm. */
  readonly logprob: number;
  readonly bytes?: readonly number[] | undefined;
  readonly top?: readonly Omit<TokenLogprob, 'top'>[] | undefined;
}

/** Tokens, as the provider counted them. */
export interface Usage {
  readonly inputTokens: number;
  /** Includes the reasoning. */
  readonly outputTokens: number;
  /** Input tokens that were read from the provider's prompt cache. */
  readonly cachedInputTokens?: number | undefined;
  /** Output tokens that were spent on reasoning. */
  readonly reasoningTokens?: number | undefined;
  /** Whether it was estimated, because the provider sent none. */
  readonly isEstimate?: boolean | undefined;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/** `choice` is the index of the answer, of several. Absent: 0. */
export type GenerateEvent =
  /**
   * First: what the provider calls the answer and the model. Again where later fields of the whole
   * answer are new: then with `extra` alone.
   */
  | {
      readonly type: 'start';
      readonly id?: string | undefined;
      readonly model?: string | undefined;
      readonly extra?: Extra | undefined;
    }
  | {
      readonly type: 'text';
      readonly text: string;
      /** Token ids of an answer that may be continued, if the provider reports them. */
      readonly tokens?: readonly number[];
      readonly choice?: number;
      readonly extra?: Extra;
    }
  | {
      readonly type: 'reasoning';
      readonly text: string;
      readonly choice?: number;
      readonly extra?: Extra;
    }
  /** The first one of an index has the id and the name; the arguments of all are one JSON text. */
  | {
      readonly type: 'tool-call';
      readonly index: number;
      readonly id?: string;
      readonly name?: string;
      readonly arguments: string;
      readonly choice?: number;
      readonly extra?: Extra;
    }
  | {
      readonly type: 'logprobs';
      readonly tokens: readonly TokenLogprob[];
      readonly choice?: number;
    }
  /** The last one counts; it may come after `finish`. */
  | { readonly type: 'usage'; readonly usage: Usage; readonly extra?: Extra }
  | {
      readonly type: 'finish';
      readonly reason: FinishReason;
      readonly choice?: number;
      readonly extra?: Extra;
      /** Fields next to the message: `content_filter_results`, `stop_reason` … */
      readonly choiceExtra?: Extra;
    };

/** Takes bytes of memory for a request until it ends. @throws SkeinError where they do not fit. */
export type Hold = (bytes: number) => void;

/** Bounds of one call to a provider. */
export interface ProviderCall {
  /** Ends the call: a local model frees its row, a connection is closed. */
  readonly signal: AbortSignal;
  /** When the first content must be there. */
  readonly deadline: Instant;
  /** Longest wait between two events after it, in milliseconds. */
  readonly gapMs: number;
  readonly hold?: Hold | undefined;
}

export interface EmbedRequest {
  readonly model: string;
  readonly inputs: readonly string[];
  readonly dimensions?: number | undefined;
  readonly extra?: Extra | undefined;
}

export interface Embeddings {
  /** [inputs, dimensions] */
  readonly vectors: readonly Float32Array[];
  readonly usage: Usage;
}

/**
 * Where models run. A provider is independent of budgets, routes and other providers.
 *
 * @throws SkeinError from every method. PROVIDER_* of `@skein/api` show whether another provider
 *   may succeed; `retryAfterMs` is the wait that the upstream asked for.
 */
export interface Provider {
  readonly name: string;
  /** Whether it can continue an answer from a `continuation`. Default: not. */
  readonly continues?: boolean | undefined;
  /** Ends after the last `finish` and `usage`; throws otherwise. Leaving the loop cancels the call. */
  generate(request: GenerateRequest, call: ProviderCall): AsyncIterable<GenerateEvent>;
  embed?(request: EmbedRequest, call: ProviderCall): Promise<Embeddings>;
  /** The tokens of a request's prompt, without an answer. */
  countTokens?(request: GenerateRequest, call: ProviderCall): Promise<number>;
  /** Checks that it has a model; resolves too if it cannot find out. @throws SkeinError as a request would. */
  check?(model: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The party behind a request, which the face has identified. */
export interface Caller {
  readonly requestId: string;
  readonly tenant: string;
  /** Id of the API key; absent on an open node. */
  readonly key?: string | undefined;
  readonly arrivedAt: Instant;
  /** When the first content must be there; absent: the objective of the model decides. */
  readonly deadline?: Instant | undefined;
  /** Priority on serving's scale: 1 is the most urgent, 0 the middle. */
  readonly priority: number;
  /** Requests of one key go to one provider while it works: its prompt cache is warm. */
  readonly stickyKey?: string | undefined;
  /** Whether a stream that is cut is to be continued, where a provider can. */
  readonly continues?: boolean | undefined;
  /** The request's trace context, where its client has sent one. */
  readonly trace?: TraceContext | undefined;
  /** Absent: the caller. `operator`: the node asks of its own accord, to measure. */
  readonly payer?: 'operator' | undefined;
  /** For answers that are read whole. Absent: the program that calls bounds them. */
  readonly hold?: Hold | undefined;
  readonly signal: AbortSignal;
}

/** The cost of a request. Money is in US dollars. */
export interface Receipt {
  /** The provider of the answer; absent: from the cache. */
  readonly provider?: string | undefined;
  readonly model: string;
  /** Tokens of the answer. */
  readonly usage: Usage;
  /** Cost of all calls for the request, hedges and failed ones included. */
  readonly costUsd: number;
  /** Cost of the answer. The rest of `costUsd` is reported as losses. */
  readonly answerUsd: number;
  readonly cache: 'hit' | 'joined' | 'miss';
  /** Calls to providers: 1, and each fallback and hedge; 0: nothing was sent for it, or another caller pays for it. */
  readonly attempts: number;
  readonly ttftMs: number;
}

export interface Generation {
  /** The request as providers see it; absent: as it is. */
  readonly sent?: GenerateRequest | undefined;
  readonly provider?: string | undefined;
  /** Whether the new route of a rollout gave it. It may be rolled back: no cache keeps the answer. */
  readonly isFromCandidate?: boolean | undefined;
  /** From the first event to the end. Read it to its end or `return()`, which cancels. */
  readonly events: AsyncIterable<GenerateEvent>;
  /**
   * Headers for the answer, as known now: `skein-provider`, `skein-cache`, `skein-attempts`, and
   * `skein-cost-usd` once the events have ended or `skein-cost-limit-usd`, the reserved worst case,
   * before that.
   */
  headers(): Record<string, string>;
  /** Once the events have ended, by whatever end. */
  receipt(): Receipt | undefined;
}

/** The interface that the faces call. */
export interface Gateway {
  /**
   * Resolves with the first content: the gateway is committed to a provider then.
   * @throws SkeinError for each refusal and failure before it. One that is refused for load has
   *   `retryAfterMs`.
   */
  generate(request: GenerateRequest, caller: Caller): Promise<Generation>;
  embed(request: EmbedRequest, caller: Caller): Promise<Embeddings & { readonly receipt: Receipt }>;
  /**
   * The tokens of a request's prompt, as a provider of the model counts them; it costs nothing.
   * @throws SkeinError as `generate` before its first content; GENERATION_UNSUPPORTED: none counts.
   */
  countTokens(request: GenerateRequest, caller: Caller): Promise<number>;
  /** Asks the providers of a model whether they have it. @throws SkeinError MODEL_UNKNOWN. */
  check(model: string): Promise<readonly RouteCheck[]>;
  models(tenant: string): readonly LanguageModelView[];
  /**
   * Refuses a model that a tenant does not have, before the rest of its request is read.
   * @throws SkeinError MODEL_UNKNOWN, PROVIDER_FORBIDDEN.
   */
  requireModel(name: string, tenant: string): void;
  /** How the routes stand now. */
  standing(): readonly ModelView[];
  view(): Promise<GatewayView>;
  /** Later requests are refused with NODE_DRAINING. */
  close(): Promise<void>;
}
