/**
 * Requests in the form of OpenAI's chat completions. Unknown fields go where they came from, and
 * never in the place of one that the contract has a word for: `undefined` removes the fields of an
 * alias too, such as a second limit of tokens.
 */
import type { EmbedRequest, GenerateRequest, Message, Part, ToolChoice } from '../../contract.ts';
import { asObject, compact, type Json } from '../../wire/json.ts';

/**
 * How an upstream is asked to continue an answer: by a last message of the assistant; by one that
 * vLLM is asked not to close; or, at another node, by a field of its own.
 */
export type ContinuationForm = 'prefill' | 'vllm' | 'skein';

/** The two names of the limit of tokens. */
export type TokenLimit = 'max_tokens' | 'max_completion_tokens';

/** The fields that the upstream takes; absent: the most common form. */
interface RequestForm {
  readonly continuation?: ContinuationForm | undefined;
  readonly limit?: TokenLimit | undefined;
}

export function encodeRequest(
  request: GenerateRequest,
  stream: boolean,
  { continuation: form, limit }: RequestForm = {},
): Json {
  const { sampling = {}, tools } = request;
  return compact({
    ...request.extra,
    model: request.model,
    messages: request.prompt === undefined ? request.messages.map(encodeMessage) : undefined,
    prompt: request.prompt,
    ...encodeContinuation(request, form),
    tools: tools?.map(({ name, description, parameters, strict, extra }) => ({
      ...extra,
      type: 'function',
      function: compact({
        ...asObject(extra?.['function']),
        name,
        description,
        parameters,
        strict,
      }),
    })),
    tool_choice: encodeToolChoice(request.toolChoice),
    parallel_tool_calls: request.parallelToolCalls,
    temperature: sampling.temperature,
    top_p: sampling.topP,
    top_k: sampling.topK,
    min_p: sampling.minP,
    frequency_penalty: sampling.frequencyPenalty,
    presence_penalty: sampling.presencePenalty,
    repetition_penalty: sampling.repetitionPenalty,
    seed: sampling.seed,
    ...encodeLimit(request, limit),
    stop: request.stop?.length === 0 ? undefined : request.stop,
    response_format: encodeFormat(request),
    ...encodeLogprobs(request),
    reasoning_effort: request.effort,
    n: request.choices === 1 ? undefined : request.choices,
    stream: stream || undefined,
    stream_options: stream ? { include_usage: true } : undefined,
  });
}

export function encodeEmbedRequest(request: EmbedRequest): Json {
  return compact({
    ...request.extra,
    model: request.model,
    input: request.inputs,
    dimensions: request.dimensions,
    encoding_format: 'base64',
  });
}

function encodeContinuation(
  { continuation, prompt, messages }: GenerateRequest,
  form: ContinuationForm | undefined,
): Json {
  if (continuation === undefined) return {};
  const { text } = continuation;
  if (form === 'skein') return { skein_continuation: text };
  if (prompt !== undefined) return { prompt: prompt + text };
  return compact({
    messages: [...messages.map(encodeMessage), { role: 'assistant', content: text }],
    add_generation_prompt: form === 'vllm' ? false : undefined,
    continue_final_message: form === 'vllm' ? true : undefined,
  });
}

function encodeMessage(message: Message): Json {
  const { role, content, toolCalls, toolCallId, name, reasoning, extra } = message;
  return compact({
    ...extra,
    role,
    content: content.length === 0 && toolCalls !== undefined ? null : encodeContent(content),
    name,
    tool_call_id: toolCallId,
    reasoning_content: reasoning,
    tool_calls: toolCalls?.map((call) => ({
      ...call.extra,
      type: 'function',
      id: call.id,
      function: {
        ...asObject(call.extra?.['function']),
        name: call.name,
        arguments: call.arguments,
      },
    })),
  });
}

/** A text alone is a string: upstreams of OpenAI's style do not all read a list. */
function encodeContent(content: readonly Part[]): unknown {
  if (content.every(({ type, ...rest }) => type === 'text' && !('extra' in rest))) {
    if (content.length === 1) return (content[0] as { readonly text: string }).text;
    if (content.length === 0) return '';
  }
  return content.map((part) => {
    switch (part.type) {
      case 'text':
        return { ...part.extra, type: 'text', text: part.text };
      case 'image': {
        const { detail, image_url: more, ...extra } = part.extra ?? {};
        const image = compact({ ...asObject(more), detail, url: part.url });
        return { ...extra, type: 'image_url', image_url: image };
      }
      default:
        return part.value;
    }
  });
}

function encodeToolChoice(choice: ToolChoice | undefined): unknown {
  if (typeof choice !== 'object') return choice;
  return { type: 'function', function: { name: choice.name } };
}

/** A chat's limit includes the reasoning; `max_tokens` is the older name, which most upstreams read. */
function encodeLimit(
  { maxTokens, effort }: GenerateRequest,
  name: TokenLimit = effort === undefined ? 'max_tokens' : 'max_completion_tokens',
): Json {
  return { max_tokens: undefined, max_completion_tokens: undefined, [name]: maxTokens };
}

function encodeFormat({ format }: GenerateRequest): unknown {
  if (format === undefined || format.type === 'text') return undefined;
  if (format.type === 'json') return { type: 'json_object' };
  const { name, schema, strict } = format;
  return { type: 'json_schema', json_schema: compact({ name, schema, strict }) };
}

function encodeLogprobs({ logprobs, prompt }: GenerateRequest): Json {
  const isChat = logprobs !== undefined && prompt === undefined;
  return { logprobs: isChat ? true : logprobs, top_logprobs: isChat ? logprobs : undefined };
}
