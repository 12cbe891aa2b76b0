/** Requests in the form of OpenAI's chat completions. Unknown fields go where they came from. */
import type { EmbedRequest, GenerateRequest, Message, Part, ToolChoice } from '../../contract.ts';
import type { Json } from '../../wire/json.ts';

export function encodeRequest(request: GenerateRequest, stream: boolean): Json {
  const { sampling = {}, tools } = request;
  return compact({
    ...request.extra,
    model: request.model,
    ...(request.prompt === undefined
      ? { messages: request.messages.map(encodeMessage) }
      : { prompt: request.prompt }),
    tools: tools?.map(({ name, description, parameters, strict, extra }) => ({
      type: 'function',
      ...extra,
      function: compact({ name, description, parameters, strict }),
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
    ...encodeLimit(request),
    stop: request.stop?.length === 0 ? undefined : request.stop,
    response_format: encodeFormat(request),
    ...encodeLogprobs(request),
    reasoning_effort: request.effort,
    n: request.choices === 1 ? undefined : request.choices,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
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

function encodeMessage(message: Message): Json {
  const { role, content, toolCalls, toolCallId, name, reasoning, extra } = message;
  return compact({
    role,
    content: content.length === 0 && toolCalls !== undefined ? null : encodeContent(content),
    name,
    tool_call_id: toolCallId,
    reasoning_content: reasoning,
    tool_calls: toolCalls?.map((call) => ({
      type: 'function',
      ...call.extra,
      id: call.id,
      function: { name: call.name, arguments: call.arguments },
    })),
    ...extra,
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
      case 'image':
        return { type: 'image_url', image_url: { ...part.extra, url: part.url } };
      default:
        return part.value;
    }
  });
}

function encodeToolChoice(choice: ToolChoice | undefined): unknown {
  if (typeof choice !== 'object') return choice;
  return { type: 'function', function: { name: choice.name } };
}

/** A chat's limit includes the reasoning; `max_tokens` is the older name, which every upstream reads. */
function encodeLimit({ maxTokens, effort }: GenerateRequest): Json {
  return effort === undefined ? { max_tokens: maxTokens } : { max_completion_tokens: maxTokens };
}

function encodeFormat({ format }: GenerateRequest): unknown {
  if (format === undefined || format.type === 'text') return undefined;
  if (format.type === 'json') return { type: 'json_object' };
  const { name, schema, strict } = format;
  return { type: 'json_schema', json_schema: compact({ name, schema, strict }) };
}

function encodeLogprobs({ logprobs, prompt }: GenerateRequest): Json {
  if (logprobs === undefined) return {};
  return prompt === undefined ? { logprobs: true, top_logprobs: logprobs } : { logprobs };
}

function compact(value: Readonly<Record<string, unknown>>): Json {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}
