/**
 * Requests in Gemini's form (`generateContent`, v1beta and Vertex AI v1).
 *
 * Fields of Gemini's wire that the contract has no word for are where Google's own OpenAI form has
 * them: `extra_body.google` of a request, `extra_content.google` of a call or a part. None of them
 * takes the place of a field that the contract has a word for.
 */
import { FieldError } from '../../field-error.ts';
import type {
  GenerateRequest,
  ImagePart,
  Message,
  OtherPart,
  Part,
  TextPart,
  ToolCall,
} from '../../contract.ts';
import {
  camelCased,
  googleContent,
  googleFields,
  signedThoughts,
} from '../../wire/google-fields.ts';
import { asObject, asText, compact, type Json, parsedOr } from '../../wire/json.ts';

interface Content {
  readonly role: 'user' | 'model';
  readonly parts: Json[];
}

export function encodeRequest(request: GenerateRequest): Json {
  const { messages, prompt, tools = [], extra, continuation } = request;
  const google = googleFields(extra);
  const system = messages.filter(({ role }) => role === 'system');
  const declared = tools.map(({ name, description, parameters, extra: more }) => {
    const { response, behavior } = googleContent(more);
    return compact({ response, behavior, name, description, parametersJsonSchema: parameters });
  });
  const allTools = [
    ...(declared.length === 0 ? [] : [{ functionDeclarations: declared }]),
    ...(Array.isArray(google['tools']) ? (google['tools'] as unknown[]) : []),
  ];
  return compact({
    ...google,
    contents: [
      ...(prompt === undefined
        ? signed(encodeMessages(messages.filter(({ role }) => role !== 'system')), request.model)
        : [{ role: 'user', parts: [{ text: prompt }] }]),
      // The model continues its own turn if that comes last.
      ...(continuation === undefined
        ? []
        : [{ role: 'model', parts: [{ text: continuation.text }] }]),
    ],
    systemInstruction:
      system.length === 0
        ? undefined
        : { parts: system.flatMap(({ content }) => content.map(encodePart)) },
    tools: allTools.length === 0 ? undefined : allTools,
    toolConfig: encodeToolChoice(request) ?? google['toolConfig'],
    thinkingConfig: undefined,
    generationConfig: encodeConfig(request, google),
  });
}

function encodeMessages(messages: readonly Message[]): Content[] {
  /** The names of the calls, by which Gemini matches their answers. */
  const names = new Map(
    messages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id, name }) => [id, name] as const)),
  );
  const contents: Content[] = [];
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'model' : 'user';
    const parts =
      message.role === 'tool'
        ? [encodeResult(message, names)]
        : [
            ...encodeThoughts(message),
            ...encodeParts(message),
            ...(message.toolCalls ?? []).map(encodeCall),
          ];
    if (parts.length === 0) continue;
    const last = contents.at(-1);
    // The answers of parallel calls are one turn.
    if (last?.role === role) last.parts.push(...parts);
    else contents.push({ role, parts });
  }
  return contents;
}

/** Google's documented value for a call of another model, which has no signature. */
const FOREIGN = 'skip_thought_signature_validator';

/**
 * From Gemini 3 on, the first call of a step needs a signature. One that another provider has made, as
 * after a fallback in the middle of a conversation, has none.
 */
function signed(contents: readonly Content[], model: string): readonly Content[] {
  if (!/gemini-(?![12]\b)/.test(model)) return contents;
  return contents.map((content) => {
    const first = content.parts.findIndex(({ functionCall }) => functionCall !== undefined);
    if (first === -1 || content.parts[first]!['thoughtSignature'] !== undefined) return content;
    const parts = [...content.parts];
    parts[first] = { thoughtSignature: FOREIGN, ...parts[first] };
    return { ...content, parts };
  });
}

/** Thoughts that came with a signature go back with it; Gemini needs no others. */
function encodeThoughts({ role, reasoning = '', extra }: Message): Json[] {
  let start = 0;
  return signedThoughts(role === 'assistant' ? extra : undefined).flatMap(
    ({ thought_signature: thoughtSignature, end }, index, all) => {
      // A client may have joined the list with an earlier state of it, or have left the thought out.
      const isAgain = all.findIndex((each) => each.thought_signature === thoughtSignature) < index;
      if (isAgain || end > reasoning.length) return [];
      const text = reasoning.slice(start, end);
      start = Math.max(start, end);
      return [{ thoughtSignature, thought: true, text }];
    },
  );
}

/** The signature of an answer's text is in its message, and belongs to the end of the text. */
function encodeParts({ role, content, extra }: Message): Json[] {
  const parts = content.map(encodePart);
  const signature = role === 'assistant' ? signatureOf(extra) : {};
  if (Object.keys(signature).length === 0) return parts;
  const last = parts.pop() ?? { text: '' };
  return [...parts, { ...signature, ...last }];
}

function encodePart(part: Part): Json {
  if (part.type === 'other') return refusePart(part);
  const { mediaResolution, partMetadata, videoMetadata } =
    asObject(googleContent(part.extra)['part']) ?? {};
  const more = { mediaResolution, partMetadata, videoMetadata, ...signatureOf(part.extra) };
  return compact({ ...more, ...dataOf(part) });
}

function refusePart({ value }: OtherPart): never {
  const type = asText(value['type'])?.slice(0, 60) ?? 'unknown';
  const text = `Gemini takes texts and images here, and a message has a part of type ${type}.`;
  throw new FieldError('messages', text, 'GENERATION_UNSUPPORTED');
}

function dataOf(part: TextPart | ImagePart): Json {
  if (part.type === 'text') return { text: part.text };
  const [, mimeType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(part.url) ?? [];
  if (mimeType !== undefined) return { inlineData: { mimeType, data } };
  return { fileData: { mimeType: imageTypeOf(part.url), fileUri: part.url } };
}

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  heic: 'image/heic',
  heif: 'image/heif',
};

/** Gemini fetches films and documents by the same field: an hour of film is a million tokens. */
function imageTypeOf(url: string): string {
  const { hostname, pathname } = new URL(url);
  const type = IMAGE_TYPES[/\.(\w+)$/.exec(pathname)?.[1]?.toLowerCase() ?? ''];
  const isFilm = /(^|\.)(youtube(-nocookie)?\.com|youtu\.be)$/.test(hostname);
  if (type !== undefined && !isFilm) return type;
  throw new FieldError(
    'messages',
    'Gemini takes an image by its address only if that ends in .png, .jpg, .webp, .heic or .heif; send the image itself instead.',
    'GENERATION_UNSUPPORTED',
  );
}

function encodeCall({ id, name, arguments: text, extra }: ToolCall): Json {
  return { ...signatureOf(extra), functionCall: { id, name, args: parsedOr(text, {}) } };
}

function encodeResult(message: Message, names: ReadonlyMap<string, string>): Json {
  const { toolCallId = '', content } = message;
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const parsed = parsedOr(text, text);
  const images = content.filter(({ type }) => type !== 'text').map(encodePart);
  return {
    functionResponse: compact({
      id: toolCallId,
      name: message.name ?? names.get(toolCallId) ?? toolCallId,
      response: asObject(parsed) ?? { result: parsed },
      parts: images.length === 0 ? undefined : images,
    }),
  };
}

/** Gemini 3 refuses a call that comes back without the signature that it came with. */
function signatureOf(extra: Json | undefined): Json {
  const thoughtSignature = asText(googleContent(extra)['thought_signature']);
  return thoughtSignature === undefined ? {} : { thoughtSignature };
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

function encodeConfig(request: GenerateRequest, google: Json): Json {
  const { sampling = {}, format, logprobs } = request;
  const own = compact({
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    frequencyPenalty: sampling.frequencyPenalty,
    presencePenalty: sampling.presencePenalty,
    seed: sampling.seed,
    stopSequences: request.stop?.length === 0 ? undefined : request.stop,
    responseMimeType:
      format === undefined || format.type === 'text' ? undefined : 'application/json',
    responseJsonSchema: format?.type === 'schema' ? format.schema : undefined,
    responseLogprobs: logprobs === undefined ? undefined : true,
    logprobs: logprobs === 0 ? undefined : logprobs,
    thinkingConfig: encodeThinking(request) ?? google['thinkingConfig'],
  });
  return compact({
    ...camelCased(asObject(google['generationConfig']) ?? {}),
    ...own,
    // The worst case of a request is reserved by this limit.
    maxOutputTokens: request.maxTokens,
    candidateCount: request.choices === 1 ? undefined : request.choices,
  });
}
