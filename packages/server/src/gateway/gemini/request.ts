/** Requests of Gemini's API: contents of parts instead of messages. */
import {
  camelCased,
  FieldError,
  type Extra,
  type GenerateRequest,
  MAX_CHOICES,
  MAX_MESSAGES,
  MAX_NAME,
  MAX_PARTS,
  MAX_STOP_LENGTH,
  MAX_STOPS,
  MAX_TOKENS,
  MAX_TOOLS,
  MAX_TOP_LOGPROBS,
  type Message,
  type Part,
  type ResponseFormat,
  type SignedThought,
  type Tool,
  type ToolCall,
  type ToolChoice,
} from '@skein/generative';
import { schemaAt } from '../language/schema.ts';
import { OpenCalls } from './open-calls.ts';
import { jsonSchemaOf } from './schema.ts';
import {
  type Fields,
  fieldsIn,
  isBase64,
  listAt,
  objectAt,
  oneOf,
  optional,
  others,
  textAt,
  wrong,
} from '../language/fields.ts';

const FIELDS = new Set([
  'model',
  'contents',
  'systemInstruction',
  'tools',
  'toolConfig',
  'generationConfig',
]);
const CONFIG_FIELDS = new Set([
  'temperature',
  'topP',
  'topK',
  'presencePenalty',
  'frequencyPenalty',
  'seed',
  'maxOutputTokens',
  'stopSequences',
  'candidateCount',
  'responseLogprobs',
  'logprobs',
  'responseMimeType',
  'responseSchema',
  'responseJsonSchema',
  '_responseJsonSchema',
]);

/** A message of Google's APIs: its fields have two spellings. */
const messageAt = (value: unknown, param: string): Fields => camelCased(objectAt(value, param));

/** @throws FieldError. */
export function readGenerate(model: string, given: Fields, stream: boolean): GenerateRequest {
  const body = camelCased(given);
  const config =
    optional(body['generationConfig'], (value) => messageAt(value, 'generationConfig')) ?? {};
  const inside = 'generationConfig.';
  const { read, has, flag, number, whole } = fieldsIn(config, inside);
  const at = (name: string): string => inside + name;
  const wantsLogprobs = flag('responseLogprobs');
  if (wantsLogprobs !== true && has('logprobs')) {
    throw new FieldError(at('logprobs'), `"${at('logprobs')}" needs "responseLogprobs": true.`);
  }
  const declared = optional(body['tools'], (tools) => toolsAt(tools, 'tools'));
  const choice = optional(body['toolConfig'], (value) => choiceAt(value, 'toolConfig', declared));
  return {
    model,
    messages: [
      ...(optional(body['systemInstruction'], (value) => [
        { role: 'system' as const, content: systemAt(value, 'systemInstruction') },
      ]) ?? []),
      ...contentsAt(body['contents'], 'contents'),
    ],
    tools: choice?.tools ?? declared,
    toolChoice: choice?.toolChoice,
    sampling: {
      temperature: number('temperature', 0, 2),
      topP: number('topP', 0, 1),
      topK: whole('topK', 0, 1_000_000),
      presencePenalty: number('presencePenalty', -2, 2),
      frequencyPenalty: number('frequencyPenalty', -2, 2),
      seed: whole('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    },
    maxTokens: whole('maxOutputTokens', 1, MAX_TOKENS),
    stop: read('stopSequences', (value, param) =>
      listAt(value, param, MAX_STOPS).map((stop, index) =>
        textAt(stop, `${param}[${index}]`, MAX_STOP_LENGTH),
      ),
    ),
    choices: whole('candidateCount', 1, MAX_CHOICES),
    format: formatOf(config),
    logprobs: wantsLogprobs === true ? (whole('logprobs', 0, MAX_TOP_LOGPROBS) ?? 0) : undefined,
    stream,
    extra: extraOf(body, config),
  };
}

/** The fields of Gemini alone, where Google's own form of OpenAI's API has them. */
function extraOf(body: Fields, config: Fields): Extra | undefined {
  const rest = others(body, FIELDS);
  const generationConfig = others(config, CONFIG_FIELDS);
  if (rest === undefined && generationConfig === undefined) return undefined;
  const google = { ...rest, ...(generationConfig === undefined ? {} : { generationConfig }) };
  return { extra_body: { google } };
}

function formatOf(config: Fields): ResponseFormat | undefined {
  const given = fieldsIn(config, 'generationConfig.');
  const type = given.oneOf('responseMimeType', ['text/plain', 'application/json']);
  const json = optional(config['responseJsonSchema'] ?? config['_responseJsonSchema'], (schema) =>
    schemaAt(schema, 'generationConfig.responseJsonSchema'),
  );
  const own = given.read('responseSchema', (schema, at) => jsonSchemaOf(schemaAt(schema, at)));
  const schema = json ?? own;
  if (schema !== undefined) return { type: 'schema', name: 'answer', schema, strict: true };
  return type === 'application/json' ? { type: 'json' } : undefined;
}

function systemAt(value: unknown, param: string): Part[] {
  if (typeof value === 'string') return [{ type: 'text', text: textAt(value, param) }];
  return partsOf(messageAt(value, param), param).map((part, index) =>
    partAt(part, `${param}.parts[${index}]`),
  );
}

const partsOf = (content: Fields, param: string): readonly Fields[] =>
  listAt(content['parts'], `${param}.parts`, MAX_PARTS).map((part, index) =>
    messageAt(part, `${param}.parts[${index}]`),
  );

function contentsAt(value: unknown, param: string): Message[] {
  const contents = listAt(value, param, MAX_MESSAGES);
  if (contents.length === 0) throw wrong(param, 'a list of at least one content', value);
  const messages: Message[] = [];
  const calls = new OpenCalls();
  for (const [index, content] of contents.entries()) {
    addContent(messages, calls, messageAt(content, `${param}[${index}]`), `${param}[${index}]`);
  }
  if (messages.length === 0) throw wrong(param, 'contents with at least one part', value);
  return messages;
}

function addContent(messages: Message[], all: OpenCalls, content: Fields, param: string): void {
  const role = oneOf(content['role'] ?? 'user', `${param}.role`, ['user', 'model', 'function']);
  const parts: Part[] = [];
  const calls: ToolCall[] = [];
  let reasoning = '';
  const thoughts: SignedThought[] = [];
  for (const [index, part] of partsOf(content, param).entries()) {
    const at = `${param}.parts[${index}]`;
    const { functionCall, functionResponse } = part;
    refuseSeveral(part, at);
    if (functionCall !== undefined) {
      if (role !== 'model')
        throw new FieldError(at, `"${at}.functionCall" is not in a content of the role "model".`);
      calls.push(callAt(part, functionCall, `${at}.functionCall`, all.count));
      all.count += 1;
    } else if (functionResponse !== undefined) {
      messages.push(answerAt(functionResponse, `${at}.functionResponse`, all));
    } else if (part['thought'] === true) {
      reasoning += textAt(part['text'] ?? '', `${at}.text`);
      const { thoughtSignature: signature } = part;
      if (typeof signature === 'string') {
        thoughts.push({ thought_signature: signature, end: reasoning.length });
      }
    } else parts.push(partAt(part, at));
  }
  for (const call of calls) all.add(call);
  if (role === 'model') {
    messages.push({
      role: 'assistant',
      content: parts,
      toolCalls: calls.length === 0 ? undefined : calls,
      reasoning: reasoning === '' ? undefined : reasoning,
      extra: thoughts.length === 0 ? undefined : { extra_content: { google: { thoughts } } },
    });
  } else if (parts.length > 0) messages.push({ role: 'user', content: parts });
}

/** A part is one of these. */
const CONTENTS = ['text', 'inlineData', 'fileData', 'functionCall', 'functionResponse'];

function refuseSeveral(part: Fields, param: string): void {
  const [first, second] = CONTENTS.filter((name) => part[name] !== undefined);
  if (second !== undefined)
    throw new FieldError(
      param,
      `"${param}" has both ${first} and ${second}; a part is one of them.`,
    );
}

const PART_FIELDS = new Set(['text', 'inlineData', 'fileData', 'thought', 'thoughtSignature']);
/** They describe how a part is read, and are no content. */
const PART_HINTS = new Set(['mediaResolution', 'partMetadata', 'videoMetadata']);

/** Fields that would be ignored are refused by their name. */
function refuseUnknown(fields: Fields, param: string, known: ReadonlySet<string>): void {
  const [name] = Object.keys(others(fields, known) ?? {});
  if (name === undefined) return;
  const at = `${param}.${name.slice(0, MAX_NAME)}`;
  throw new FieldError(at, `"${at}" is not offered.`, 'GENERATION_UNSUPPORTED');
}

function partAt(part: Fields, param: string): Part {
  const { text, inlineData, fileData } = part;
  const hints = others(part, PART_FIELDS);
  if (hints !== undefined) refuseUnknown(hints, param, PART_HINTS);
  const extra = partExtra(part, hints);
  if (text !== undefined) return { type: 'text', text: textAt(text, `${param}.text`), extra };
  if (inlineData !== undefined) {
    const data = messageAt(inlineData, `${param}.inlineData`);
    const mime = textAt(data['mimeType'], `${param}.inlineData.mimeType`, MAX_NAME);
    const bytes = textAt(data['data'], `${param}.inlineData.data`);
    if (/^image\/[\w.+-]+$/.test(mime) && isBase64(bytes)) {
      return { type: 'image', url: `data:${mime};base64,${bytes}`, extra };
    }
    throw new FieldError(`${param}.inlineData`, 'Only images in base64 are taken as inline data.');
  }
  if (fileData !== undefined) {
    const file = messageAt(fileData, `${param}.fileData`);
    const url = textAt(file['fileUri'], `${param}.fileData.fileUri`);
    if (/^https:\/\//i.test(url)) return { type: 'image', url, extra };
  }
  throw wrong(param, 'text, an image, a functionCall or a functionResponse', part);
}

/** @param before how many calls the conversation has before this one: each without an id gets its own. */
function callAt(part: Fields, value: unknown, param: string, before: number): ToolCall {
  const call = objectAt(value, param);
  const name = textAt(call['name'], `${param}.name`, MAX_NAME);
  const own = before === 0 ? `call_${name}` : `call_${name}_${before}`;
  return {
    id: optional(call['id'], (id) => textAt(id, `${param}.id`, MAX_NAME)) ?? own,
    name,
    arguments: JSON.stringify(
      optional(call['args'], (args) => objectAt(args, `${param}.args`)) ?? {},
    ),
    extra: partExtra(part, undefined),
  };
}

const RESPONSE_FIELDS = new Set(['id', 'name', 'response', 'parts']);

function answerAt(value: unknown, param: string, calls: OpenCalls): Message {
  const answer = messageAt(value, param);
  const name = textAt(answer['name'], `${param}.name`, MAX_NAME);
  const given = optional(answer['id'], (id) => textAt(id, `${param}.id`, MAX_NAME));
  const call = calls.answer(name, given);
  refuseUnknown(answer, param, RESPONSE_FIELDS);
  const images = optional(answer['parts'], () => partsOf(answer, param)) ?? [];
  return {
    role: 'tool',
    name,
    toolCallId: given ?? call?.id ?? `call_${name}`,
    content: [
      { type: 'text', text: JSON.stringify(answer['response'] ?? {}) },
      ...images.map((image, index) => partAt(image, `${param}.parts[${index}]`)),
    ],
  };
}

/** In the words of OpenAI's form, which is what travels inside. */
function partExtra({ thoughtSignature }: Fields, part: Fields | undefined): Extra | undefined {
  const google = {
    ...(typeof thoughtSignature === 'string' ? { thought_signature: thoughtSignature } : {}),
    ...(part === undefined ? {} : { part }),
  };
  return Object.keys(google).length === 0 ? undefined : { extra_content: { google } };
}

function toolsAt(value: unknown, param: string): Tool[] {
  const tools = listAt(value, param, MAX_TOOLS).flatMap((given, index) => {
    const at = `${param}[${index}]`;
    const tool = messageAt(given, at);
    const { functionDeclarations } = tool;
    if (functionDeclarations === undefined) {
      throw wrong(at, 'a tool with functionDeclarations', given);
    }
    refuseUnknown(tool, at, new Set(['functionDeclarations']));
    return listAt(functionDeclarations, `${at}.functionDeclarations`, MAX_TOOLS).map(
      (declared, nth) => declarationAt(declared, `${at}.functionDeclarations[${nth}]`),
    );
  });
  if (tools.length <= MAX_TOOLS) return tools;
  throw new FieldError(
    param,
    `The request has ${tools.length} tools; at most ${MAX_TOOLS} are taken.`,
  );
}

const DECLARATION_FIELDS = new Set(['name', 'description', 'parameters', 'parametersJsonSchema']);
/** Fields of a declaration; only Gemini reads them. */
const DECLARATION_HINTS = new Set(['response', 'behavior']);

function declarationAt(value: unknown, param: string): Tool {
  const declared = messageAt(value, param);
  const hints = others(declared, DECLARATION_FIELDS);
  if (hints !== undefined) refuseUnknown(hints, param, DECLARATION_HINTS);
  const given = fieldsIn(declared, `${param}.`);
  const json = given.read('parametersJsonSchema', schemaAt);
  const own = given.read('parameters', (schema, at) => jsonSchemaOf(schemaAt(schema, at)));
  return {
    name: textAt(declared['name'], `${param}.name`, MAX_NAME),
    description: given.text('description'),
    parameters: json ?? own,
    extra: hints === undefined ? undefined : { extra_content: { google: hints } },
  };
}

interface Choice {
  readonly toolChoice: ToolChoice;
  /** The only ones that may be called; absent: all. */
  readonly tools?: readonly Tool[];
}

function choiceAt(
  value: unknown,
  param: string,
  tools: readonly Tool[] | undefined,
): Choice | undefined {
  const at = `${param}.functionCallingConfig`;
  const fields = messageAt(value, param);
  refuseUnknown(fields, param, new Set(['functionCallingConfig']));
  const config = optional(fields['functionCallingConfig'], (given) => messageAt(given, at));
  if (config === undefined) return undefined;
  refuseUnknown(config, at, new Set(['mode', 'allowedFunctionNames']));
  const mode = oneOf(config['mode'] ?? 'AUTO', `${at}.mode`, ['AUTO', 'ANY', 'NONE', 'VALIDATED']);
  if (mode === 'NONE') return { toolChoice: 'none' };
  const names = optional(config['allowedFunctionNames'], (list) =>
    listAt(list, `${at}.allowedFunctionNames`, MAX_TOOLS).map((name, index) =>
      textAt(name, `${at}.allowedFunctionNames[${index}]`, MAX_NAME),
    ),
  );
  const toolChoice = mode === 'ANY' ? 'required' : 'auto';
  if (names === undefined || names.length === 0) return { toolChoice };
  const allowed = (tools ?? []).filter(({ name }) => names.includes(name));
  const unknown = names.find((name) => !allowed.some((tool) => tool.name === name));
  if (unknown !== undefined) {
    throw new FieldError(
      `${at}.allowedFunctionNames`,
      `The function "${unknown}" is allowed, and not declared.`,
    );
  }
  return mode === 'ANY' && names.length === 1
    ? { toolChoice: { name: names[0]! } }
    : { toolChoice, tools: allowed };
}
