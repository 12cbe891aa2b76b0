/** A request to `/v1/responses`: items instead of messages. */
import {
  type Extra,
  FieldError,
  type GenerateRequest,
  MAX_MESSAGES,
  MAX_NAME,
  MAX_PARTS,
  MAX_TOKENS,
  MAX_TOOLS,
  MAX_TOP_LOGPROBS,
  type Message,
  type Part,
  type ResponseFormat,
  type Tool,
  type ToolCall,
} from '@skein/generative';
import {
  type Fields,
  fieldsIn,
  listAt,
  objectAt,
  oneOf,
  optional,
  others,
  refuseFields,
  textAt,
  wrong,
} from '../language/fields.ts';
import { modelOf, samplingOf, schemaFormatAt } from './chat-request.ts';
import { functionAt, imageAt, toolChoiceAt, uniquelyNamed } from './messages.ts';
import { signaturesIn, withSignatures } from './reasoning-item.ts';
import type { ReasoningSeals } from './reasoning-seals.ts';

const FIELDS = new Set([
  'model',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_output_tokens',
  'temperature',
  'top_p',
  'text',
  'reasoning',
  'stream',
  'stream_options',
  'store',
  'include',
  'truncation',
  'top_logprobs',
  'previous_response_id',
  'conversation',
  'background',
  // A limit of tools that the provider runs, which are not offered.
  'max_tool_calls',
]);
const TOOL_FIELDS = new Set(['type', 'name', 'description', 'parameters', 'strict']);
/** Fields of chat completions; the upstream, which is asked for one, would obey them. */
const INSTEAD = {
  max_tokens: 'use max_output_tokens',
  max_completion_tokens: 'use max_output_tokens',
  n: 'a response has one answer',
  messages: 'use input',
  prompt: 'no prompts are stored here; use instructions and input',
} as const;
const LOGPROBS = 'message.output_text.logprobs';
/** Values of `include`. All but the first belong to tools and items that no answer of this node has. */
const INCLUDES = [
  LOGPROBS,
  'reasoning.encrypted_content',
  'message.input_image.image_url',
  'file_search_call.results',
  'web_search_call.results',
  'web_search_call.action.sources',
  'computer_call_output.output.image_url',
  'code_interpreter_call.outputs',
] as const;

export interface ResponseRequest {
  readonly request: GenerateRequest;
  /** Its own messages: the last ones of the request. */
  readonly input: readonly Message[];
}

/** @param earlier messages of the responses that it continues. @throws FieldError. */
export function readResponse(
  body: Fields,
  earlier: readonly Message[],
  seals: ReasoningSeals,
): ResponseRequest {
  const given = fieldsIn(body);
  if (given.has('conversation')) {
    throw new FieldError(
      'conversation',
      'This node has no conversations: send the items in "input", or continue a stored response.',
      'GENERATION_UNSUPPORTED',
    );
  }
  given.flag('store');
  if (given.flag('background') === true) {
    throw new FieldError(
      'background',
      'Responses in the background are not offered.',
      'GENERATION_UNSUPPORTED',
    );
  }
  refuseFields(body, INSTEAD);
  const instructions = given.text('instructions');
  const include = listAt(body['include'] ?? [], 'include', 100).map((each, index) =>
    oneOf(each, `include[${index}]`, INCLUDES),
  );
  if (given.oneOf('truncation', ['auto', 'disabled']) === 'auto') {
    throw new FieldError(
      'truncation',
      'This node shortens no input: send fewer items.',
      'GENERATION_UNSUPPORTED',
    );
  }
  const texts = given.object('text');
  const top = given.whole('top_logprobs', 0, MAX_TOP_LOGPROBS);
  const reasoning = fieldsIn(given.object('reasoning') ?? {}, 'reasoning.');
  const input = inputAt(body['input'], 'input', seals);
  const request: GenerateRequest = {
    model: modelOf(body),
    messages: [
      ...(instructions === undefined ? [] : [message('system', [text(instructions)])]),
      ...earlier,
      ...input,
    ],
    tools: given.read('tools', toolsAt),
    toolChoice: given.read('tool_choice', (choice, param) =>
      toolChoiceAt(choice, param, (its) => its['name']),
    ),
    parallelToolCalls: given.flag('parallel_tool_calls'),
    sampling: samplingOf(body),
    maxTokens: given.whole('max_output_tokens', 1, MAX_TOKENS),
    format: formatOf(texts),
    logprobs: top ?? (include.includes(LOGPROBS) ? 0 : undefined),
    effort: reasoning.text('effort', MAX_NAME),
    stream: given.flag('stream') ?? false,
    extra: others({ ...body, verbosity: texts?.['verbosity'] ?? null }, FIELDS),
  };
  return { request, input };
}

function formatOf(fields: Fields | undefined): ResponseFormat | undefined {
  const format = optional(fields?.['format'], (value) => objectAt(value, 'text.format'));
  if (format === undefined) return undefined;
  const type = oneOf(format['type'], 'text.format.type', ['text', 'json_object', 'json_schema']);
  if (type === 'text') return { type };
  return type === 'json_object' ? { type: 'json' } : schemaFormatAt(format, 'text.format');
}

function toolsAt(value: unknown, param: string): Tool[] {
  const tools = listAt(value, param, MAX_TOOLS).map((tool, index) => {
    const at = `${param}[${index}]`;
    const { type } = objectAt(tool, at);
    if (type !== 'function') throw wrong(`${at}.type`, '"function"', type);
    return functionAt(tool, at, TOOL_FIELDS);
  });
  return uniquelyNamed(tools, param);
}

const ITEM_FIELDS = new Set(['type', 'id', 'status', 'role', 'content', 'phase']);
const CALL_FIELDS = new Set(['type', 'id', 'status', 'call_id', 'name', 'arguments']);
const OUTPUT_FIELDS = new Set(['type', 'id', 'status', 'call_id', 'output']);
/** The last two belong to an answer's text, which its reader has. */
const TEXT_FIELDS = new Set(['type', 'text', 'annotations', 'logprobs']);
const IMAGE_FIELDS = new Set(['type', 'image_url', 'file_id']);

const text = (value: string, extra?: Extra): Part => ({
  type: 'text',
  text: value,
  ...(extra === undefined ? {} : { extra }),
});
const message = (
  role: Message['role'],
  content: readonly Part[],
  extra?: Extra,
): WrittenMessage => ({
  role,
  content,
  ...(extra === undefined ? {} : { extra }),
});

function inputAt(value: unknown, param: string, seals: ReasoningSeals): Message[] {
  if (typeof value === 'string') return [message('user', [text(textAt(value, param))])];
  const items = listAt(value, param, MAX_MESSAGES);
  if (items.length === 0) throw wrong(param, 'a string or a list of items', value);
  return messagesOf(items, param, seals);
}

/** The messages of a conversation so far. */
interface Conversation {
  readonly messages: WrittenMessage[];
  /** Signatures of calls by their ids. */
  readonly ofCalls: Map<string, Extra>;
  readonly seals: ReasoningSeals;
}
/** Its calls are added one by one. */
type WrittenMessage = Omit<Message, 'toolCalls'> & { readonly toolCalls?: ToolCall[] | undefined };

export function messagesOf(
  items: readonly unknown[],
  param: string,
  seals: ReasoningSeals,
): Message[] {
  const all: Conversation = { messages: [], ofCalls: new Map(), seals };
  for (const [index, item] of items.entries()) add(all, item, `${param}[${index}]`);
  return all.messages
    .filter((each) => each.role !== 'assistant' || each.content.length > 0 || each.toolCalls)
    .map(({ toolCalls, ...rest }) => ({
      ...rest,
      ...(toolCalls && {
        toolCalls: toolCalls.map((call) => ({
          ...call,
          extra: withSignatures(call.extra, all.ofCalls.get(call.id)),
        })),
      }),
    }));
}

/**
 * Calls of one turn become one message of the assistant, as chat templates expect them, with what
 * its model thought where that has signatures.
 */
function add(all: Conversation, value: unknown, param: string): void {
  const { messages, ofCalls } = all;
  const item = objectAt(value, param);
  switch (item['type'] ?? 'message') {
    case 'message': {
      const role = oneOf(item['role'], `${param}.role`, [
        'system',
        'developer',
        'user',
        'assistant',
      ]);
      const content = contentAt(item['content'], `${param}.content`);
      const extra = others(item, ITEM_FIELDS);
      const last = messages.at(-1);
      const isThought = last?.role === 'assistant' && last.content.length === 0 && !last.toolCalls;
      if (role === 'assistant' && isThought)
        messages[messages.length - 1] = {
          ...last,
          content,
          extra: withSignatures(extra, last.extra),
        };
      else messages.push(message(role === 'developer' ? 'system' : role, content, extra));
      return;
    }
    case 'function_call': {
      const call = {
        id: textAt(item['call_id'], `${param}.call_id`, MAX_NAME),
        name: textAt(item['name'], `${param}.name`, MAX_NAME),
        arguments: textAt(item['arguments'], `${param}.arguments`),
        extra: others(item, CALL_FIELDS),
      };
      const last = messages.at(-1);
      if (last?.role !== 'assistant')
        messages.push({ role: 'assistant', content: [], toolCalls: [call] });
      // One more copy for each call would be quadratic.
      else if (last.toolCalls !== undefined) last.toolCalls.push(call);
      else messages[messages.length - 1] = { ...last, toolCalls: [call] };
      return;
    }
    case 'function_call_output': {
      const { output } = item;
      const content =
        typeof output === 'string'
          ? [text(textAt(output, `${param}.output`))]
          : contentAt(output, `${param}.output`);
      messages.push({
        role: 'tool',
        content,
        toolCallId: textAt(item['call_id'], `${param}.call_id`, MAX_NAME),
        extra: others(item, OUTPUT_FIELDS),
      });
      return;
    }
    case 'reasoning': {
      const signatures = signaturesIn(
        item['encrypted_content'],
        `${param}.encrypted_content`,
        all.seals,
      );
      // A model's thoughts are not sent back to it, unless it has asked for that.
      if (signatures === undefined) return;
      for (const [call, extra] of signatures.calls) ofCalls.set(call, extra);
      const last = messages.at(-1);
      const kept = {
        reasoning: summaryAt(item['summary'], `${param}.summary`),
        extra: signatures.message,
      };
      if (last?.role !== 'assistant') messages.push({ role: 'assistant', content: [], ...kept });
      else if (last.reasoning === undefined)
        messages[messages.length - 1] = {
          ...last,
          ...kept,
          extra: withSignatures(last.extra, kept.extra),
        };
      return;
    }
    case 'item_reference':
      throw new FieldError(
        param,
        'This node stores no responses: send the items themselves, as clients do with "store": false.',
        'GENERATION_UNSUPPORTED',
      );
    default:
      throw wrong(`${param}.type`, 'a message, a function_call or its output', item['type']);
  }
}

/** The text of a summary: its parts follow each other. */
const summaryAt = (value: unknown, param: string): string =>
  listAt(value ?? [], param, MAX_PARTS)
    .map((part, index) =>
      textAt(objectAt(part, `${param}[${index}]`)['text'], `${param}[${index}].text`),
    )
    .join('');

function contentAt(value: unknown, param: string): Part[] {
  if (typeof value === 'string') return [text(textAt(value, param))];
  return listAt(value, param, MAX_PARTS).map((part, index) => {
    const at = `${param}[${index}]`;
    const fields = objectAt(part, at);
    switch (fields['type']) {
      case 'input_text':
      case 'output_text':
        return text(textAt(fields['text'], `${at}.text`), others(fields, TEXT_FIELDS));
      case 'refusal':
        return text(textAt(fields['refusal'], `${at}.refusal`));
      case 'input_image':
        return {
          type: 'image',
          url: imageAt(fields['image_url'], `${at}.image_url`),
          extra: others(fields, IMAGE_FIELDS),
        };
      default:
        throw wrong(
          `${at}.type`,
          'input_text, output_text, refusal or input_image',
          fields['type'],
        );
    }
  });
}
