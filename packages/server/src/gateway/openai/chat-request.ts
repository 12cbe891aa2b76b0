/** A request for a chat completion, and what all requests for text of OpenAI's form share. */
import {
  FieldError,
  type GenerateRequest,
  MAX_CHOICES,
  MAX_NAME,
  MAX_STOP_LENGTH,
  MAX_STOPS,
  MAX_TOKENS,
  MAX_TOP_LOGPROBS,
  type ResponseFormat,
  type Sampling,
} from '@skein/generative';
import { schemaAt } from '../generative/schema.ts';
import {
  type Fields,
  flagAt,
  listAt,
  numberAt,
  objectAt,
  oneOf,
  optional,
  others,
  refuseFields,
  textAt,
  wholeAt,
} from '../generative/fields.ts';
import { messagesAt, toolChoiceAt, toolsAt } from './messages.ts';

export interface TextRequest {
  readonly request: GenerateRequest;
  /** Whether the last chunk of a stream counts the tokens. */
  readonly includeUsage: boolean;
  /** Keeps the requests of a conversation at one provider. */
  readonly stickyKey: string | undefined;
}

const SHARED_FIELDS = [
  'model',
  'stream',
  'stream_options',
  'stop',
  'n',
  'seed',
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'repetition_penalty',
  'frequency_penalty',
  'presence_penalty',
  'skein_continuation',
];
const CHAT_FIELDS = new Set([
  ...SHARED_FIELDS,
  'messages',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_tokens',
  'max_completion_tokens',
  'response_format',
  'logprobs',
  'top_logprobs',
  'reasoning_effort',
]);
const COMPLETION_FIELDS = new Set([
  ...SHARED_FIELDS,
  'prompt',
  'max_tokens',
  'logprobs',
  'best_of',
]);

/** @throws FieldError. */
export function readChat(body: Fields): TextRequest {
  // The older name of the same limit.
  const isNew = optional(body['max_completion_tokens'], () => true) ?? false;
  const limit = isNew ? 'max_completion_tokens' : 'max_tokens';
  const logprobs = optional(body['logprobs'], (value) => flagAt(value, 'logprobs')) ?? false;
  const top = optional(body['top_logprobs'], (value) =>
    wholeAt(value, 'top_logprobs', 0, MAX_TOP_LOGPROBS),
  );
  if (top !== undefined && !logprobs) {
    throw new FieldError('top_logprobs', '"top_logprobs" needs "logprobs": true.');
  }
  if (isNew) refuseSecondLimit(body);
  const shared = readShared(body);
  return {
    ...shared,
    request: {
      ...shared.request,
      messages: messagesAt(body['messages'], 'messages'),
      tools: optional(body['tools'], (tools) => toolsAt(tools, 'tools')),
      toolChoice: optional(body['tool_choice'], (choice) =>
        toolChoiceAt(
          choice,
          'tool_choice',
          (given) => objectAt(given['function'], 'tool_choice.function')['name'],
        ),
      ),
      parallelToolCalls: optional(body['parallel_tool_calls'], (value) =>
        flagAt(value, 'parallel_tool_calls'),
      ),
      maxTokens: optional(body[limit], (value) => wholeAt(value, limit, 1, MAX_TOKENS)),
      format: optional(body['response_format'], (format) => formatAt(format, 'response_format')),
      logprobs: logprobs ? (top ?? 0) : undefined,
      effort: optional(body['reasoning_effort'], (effort) =>
        textAt(effort, 'reasoning_effort', MAX_NAME),
      ),
      extra: others(body, CHAT_FIELDS),
    },
  };
}

/** Both names of the limit, with different values: one of them would be ignored. */
function refuseSecondLimit({ max_tokens: older, max_completion_tokens: newer }: Fields): void {
  if (older === undefined || older === null || older === newer) return;
  const text = '"max_tokens" is the older name of "max_completion_tokens": send one of both.';
  throw new FieldError('max_tokens', text);
}

/** `/v1/completions`: one prompt, which the model continues. */
export function readCompletion(body: Fields): TextRequest {
  const given = body['prompt'];
  const prompt = Array.isArray(given) && given.length === 1 ? (given as unknown[])[0] : given;
  const shared = readShared(body);
  refuseFields(body, { max_completion_tokens: 'use max_tokens' });
  // The upstream would generate the others too, and bill them.
  optional(body['best_of'], (best) => {
    if (best === (shared.request.choices ?? 1)) return;
    const message = '"best_of" is offered only where it equals "n".';
    throw new FieldError('best_of', message, 'GENERATION_UNSUPPORTED');
  });
  return {
    ...shared,
    request: {
      ...shared.request,
      messages: [],
      prompt: textAt(prompt, 'prompt'),
      // The default of this endpoint.
      maxTokens:
        optional(body['max_tokens'], (value) => wholeAt(value, 'max_tokens', 1, MAX_TOKENS)) ?? 16,
      logprobs: optional(body['logprobs'], (value) => wholeAt(value, 'logprobs', 0, 5)),
      extra: others(body, COMPLETION_FIELDS),
    },
  };
}

function readShared(body: Fields): TextRequest {
  const options = optional(body['stream_options'], (value) => objectAt(value, 'stream_options'));
  return {
    includeUsage:
      optional(options?.['include_usage'], (value) =>
        flagAt(value, 'stream_options.include_usage'),
      ) ?? false,
    stickyKey: stickyKeyOf(body),
    request: {
      model: modelOf(body),
      messages: [],
      sampling: samplingOf(body),
      stop: optional(body['stop'], (stop) => stopsAt(stop, 'stop')),
      choices: optional(body['n'], (n) => wholeAt(n, 'n', 1, MAX_CHOICES)),
      stream: optional(body['stream'], (stream) => flagAt(stream, 'stream')) ?? false,
      // Of another node, whose upstream has cut an answer.
      continuation: optional(body['skein_continuation'], (text) => ({
        text: textAt(text, 'skein_continuation'),
      })),
    },
  };
}

export const modelOf = (body: Fields): string => textAt(body['model'], 'model', MAX_NAME);

export const stickyKeyOf = (body: Fields): string | undefined =>
  optional(body['prompt_cache_key'], (key) => textAt(key, 'prompt_cache_key', MAX_NAME));

export function samplingOf(body: Fields): Sampling {
  const number = (name: string, min: number, max: number): number | undefined =>
    optional(body[name], (value) => numberAt(value, name, min, max));
  return {
    temperature: number('temperature', 0, 2),
    topP: number('top_p', 0, 1),
    topK: optional(body['top_k'], (value) => wholeAt(value, 'top_k', 0, 1_000_000)),
    minP: number('min_p', 0, 1),
    repetitionPenalty: number('repetition_penalty', 0, 10),
    frequencyPenalty: number('frequency_penalty', -2, 2),
    presencePenalty: number('presence_penalty', -2, 2),
    seed: optional(body['seed'], (value) =>
      wholeAt(value, 'seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    ),
  };
}

export function stopsAt(value: unknown, param: string): string[] {
  const stops = typeof value === 'string' ? [value] : listAt(value, param, MAX_STOPS);
  return stops.map((stop, index) => textAt(stop, `${param}[${index}]`, MAX_STOP_LENGTH));
}

function formatAt(value: unknown, param: string): ResponseFormat {
  const fields = objectAt(value, param);
  const type = oneOf(fields['type'], `${param}.type`, ['text', 'json_object', 'json_schema']);
  if (type === 'text') return { type };
  if (type === 'json_object') return { type: 'json' };
  return schemaFormatAt(fields['json_schema'], `${param}.json_schema`);
}

/** A schema with its name, as chat completions and responses have it. */
export function schemaFormatAt(value: unknown, param: string): ResponseFormat {
  const fields = objectAt(value, param);
  return {
    type: 'schema',
    name: textAt(fields['name'] ?? 'answer', `${param}.name`, MAX_NAME),
    schema: schemaAt(fields['schema'] ?? {}, `${param}.schema`),
    strict: optional(fields['strict'], (strict) => flagAt(strict, `${param}.strict`)),
  };
}
