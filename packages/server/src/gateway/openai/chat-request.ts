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
import { schemaAt } from '../language/schema.ts';
import {
  type Fields,
  fieldsIn,
  listAt,
  objectAt,
  oneOf,
  others,
  refuseFields,
  textAt,
} from '../language/fields.ts';
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
  const given = fieldsIn(body);
  const isNew = given.has('max_completion_tokens');
  const limit = isNew ? 'max_completion_tokens' : 'max_tokens';
  const logprobs = given.flag('logprobs') ?? false;
  const top = given.whole('top_logprobs', 0, MAX_TOP_LOGPROBS);
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
      tools: given.read('tools', toolsAt),
      toolChoice: given.read('tool_choice', (choice, param) =>
        toolChoiceAt(
          choice,
          param,
          (its) => objectAt(its['function'], `${param}.function`)['name'],
        ),
      ),
      parallelToolCalls: given.flag('parallel_tool_calls'),
      maxTokens: given.whole(limit, 1, MAX_TOKENS),
      format: given.read('response_format', formatAt),
      logprobs: logprobs ? (top ?? 0) : undefined,
      effort: given.text('reasoning_effort', MAX_NAME),
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
  const given = fieldsIn(body);
  const { prompt: one } = body;
  const prompt = Array.isArray(one) && one.length === 1 ? (one as unknown[])[0] : one;
  const shared = readShared(body);
  refuseFields(body, { max_completion_tokens: 'use max_tokens' });
  // The upstream would generate the others too, and bill them.
  given.read('best_of', (best) => {
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
      maxTokens: given.whole('max_tokens', 1, MAX_TOKENS) ?? 16,
      logprobs: given.whole('logprobs', 0, 5),
      extra: others(body, COMPLETION_FIELDS),
    },
  };
}

function readShared(body: Fields): TextRequest {
  const given = fieldsIn(body);
  const options = fieldsIn(given.object('stream_options') ?? {}, 'stream_options.');
  const continued = given.text('skein_continuation');
  return {
    includeUsage: options.flag('include_usage') ?? false,
    stickyKey: stickyKeyOf(body),
    request: {
      model: modelOf(body),
      messages: [],
      sampling: samplingOf(body),
      stop: given.read('stop', stopsAt),
      choices: given.whole('n', 1, MAX_CHOICES),
      stream: given.flag('stream') ?? false,
      // The answer of another node, whose upstream has cut it.
      continuation: continued === undefined ? undefined : { text: continued },
    },
  };
}

export const modelOf = (body: Fields): string => textAt(body['model'], 'model', MAX_NAME);

export const stickyKeyOf = (body: Fields): string | undefined =>
  fieldsIn(body).text('prompt_cache_key', MAX_NAME);

export function samplingOf(body: Fields): Sampling {
  const { number, whole } = fieldsIn(body);
  return {
    temperature: number('temperature', 0, 2),
    topP: number('top_p', 0, 1),
    topK: whole('top_k', 0, 1_000_000),
    minP: number('min_p', 0, 1),
    repetitionPenalty: number('repetition_penalty', 0, 10),
    frequencyPenalty: number('frequency_penalty', -2, 2),
    presencePenalty: number('presence_penalty', -2, 2),
    seed: whole('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
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
    strict: fieldsIn(fields, `${param}.`).flag('strict'),
  };
}
