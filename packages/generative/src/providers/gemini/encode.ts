/**
 * Requests in Gemini's form (`generateContent`, v1beta and Vertex AI v1).
 *
 * Fields of Gemini's wire that the contract has no word for are where Google's own OpenAI form has
 * them: `extra_body.google` of a request, `extra_content.google` of a call or a part.
 */
import type { GenerateRequest, Message, Part, ToolCall } from '../../contract.ts';
import { asObject, asText, type Json } from '../../wire/json.ts';

interface Content {
  readonly role: 'user' | 'model';
  readonly parts: Json[];
}

export function encodeRequest(request: GenerateRequest): Json {
  const { messages, prompt, tools, extra } = request;
  const google = asObject(asObject(extra?.['extra_body'])?.['google']);
  const system = messages.filter(({ role }) => role === 'system');
  return compact({
    contents:
      prompt === undefined
        ? encodeMessages(messages.filter(({ role }) => role !== 'system'))
        : [{ role: 'user', parts: [{ text: prompt }] }],
    systemInstruction:
      system.length === 0
        ? undefined
        : { parts: system.flatMap(({ content }) => content.map(encodePart)) },
    tools:
      tools === undefined || tools.length === 0
        ? undefined
        : [
            {
              functionDeclarations: tools.map(({ name, description, parameters }) =>
                compact({ name, description, parametersJsonSchema: parameters }),
              ),
            },
          ],
    toolConfig: encodeToolChoice(request),
    ...google,
    generationConfig: {
      ...encodeConfig(request),
      ...asObject(google?.['generationConfig']),
    },
  });
}

function encodeMessages(messages: readonly Message[]): Content[] {
  /** The names of the calls, by which Gemini knows their answers. */
  const names = new Map(
    messages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id, name }) => [id, name] as const)),
  );
  const contents: Content[] = [];
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'model' : 'user';
    const parts =
      message.role === 'tool'
        ? [encodeResult(message, names)]
        : [...message.content.map(encodePart), ...(message.toolCalls ?? []).map(encodeCall)];
    if (parts.length === 0) continue;
    const last = contents.at(-1);
    // The answers of parallel calls are one turn.
    if (last?.role === role) last.parts.push(...parts);
    else contents.push({ role, parts });
  }
  return contents;
}

function encodePart(part: Part): Json {
  if (part.type === 'text') return { ...signatureOf(part.extra), text: part.text };
  if (part.type === 'other') return part.value;
  const [, mimeType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(part.url) ?? [];
  if (mimeType !== undefined) return { inlineData: { mimeType, data } };
  return { fileData: { fileUri: part.url } };
}

function encodeCall({ id, name, arguments: text, extra }: ToolCall): Json {
  return { ...signatureOf(extra), functionCall: { id, name, args: parsedOr(text, {}) } };
}

function encodeResult(message: Message, names: ReadonlyMap<string, string>): Json {
  const { toolCallId = '', content } = message;
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const parsed = parsedOr(text, text);
  return {
    functionResponse: {
      id: toolCallId,
      name: message.name ?? names.get(toolCallId) ?? toolCallId,
      response: asObject(parsed) ?? { result: parsed },
    },
  };
}

/** Gemini 3 refuses a call that comes back without the signature that it came with. */
function signatureOf(extra: Json | undefined): Json {
  const google = asObject(asObject(extra?.['extra_content'])?.['google']);
  const thoughtSignature = asText(google?.['thought_signature']);
  return thoughtSignature === undefined ? {} : { thoughtSignature };
}

function parsedOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

function encodeToolChoice({ tools, toolChoice }: GenerateRequest): unknown {
  if (tools === undefined || tools.length === 0 || toolChoice === undefined) return undefined;
  const named = typeof toolChoice === 'object';
  const mode = named ? 'ANY' : { auto: 'AUTO', none: 'NONE', required: 'ANY' }[toolChoice];
  return {
    functionCallingConfig: { mode, ...(named ? { allowedFunctionNames: [toolChoice.name] } : {}) },
  };
}

/** Tokens of thought by OpenAI's efforts, as Google's own OpenAI form has them. */
const BUDGETS: Readonly<Record<string, number>> = {
  none: 0,
  minimal: 1024,
  low: 1024,
  medium: 8192,
  high: 24_576,
};

function encodeThinking({ model, effort }: GenerateRequest): unknown {
  if (effort === undefined) return undefined;
  const budget = BUDGETS[effort];
  const isLevel = !/gemini-[12]\b/.test(model) || budget === undefined;
  return isLevel ? { thinkingLevel: effort } : { thinkingBudget: budget };
}

function encodeConfig(request: GenerateRequest): Json {
  const { sampling = {}, format, logprobs } = request;
  return compact({
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    frequencyPenalty: sampling.frequencyPenalty,
    presencePenalty: sampling.presencePenalty,
    seed: sampling.seed,
    maxOutputTokens: request.maxTokens,
    stopSequences: request.stop?.length === 0 ? undefined : request.stop,
    candidateCount: request.choices === 1 ? undefined : request.choices,
    responseMimeType:
      format === undefined || format.type === 'text' ? undefined : 'application/json',
    responseJsonSchema: format?.type === 'schema' ? format.schema : undefined,
    responseLogprobs: logprobs === undefined ? undefined : true,
    logprobs: logprobs === 0 ? undefined : logprobs,
    thinkingConfig: encodeThinking(request),
  });
}

function compact(value: Readonly<Record<string, unknown>>): Json {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}
