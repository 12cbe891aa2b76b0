/** Messages and tools in the form of OpenAI's chat completions. */
import {
  FieldError,
  MAX_MESSAGES,
  MAX_NAME,
  MAX_PARTS,
  MAX_TOOL_CALLS,
  MAX_TOOLS,
  type Message,
  type Part,
  type Tool,
  type ToolCall,
  type ToolChoice,
} from '@skein/generative';
import { readId } from './call-id.ts';
import { schemaAt } from '../language/schema.ts';
import {
  type Fields,
  fieldsIn,
  flagAt,
  isBase64,
  listAt,
  objectAt,
  oneOf,
  optional,
  others,
  textAt,
  wrong,
} from '../language/fields.ts';

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'] as const;
const MESSAGE_FIELDS = new Set([
  'role',
  'content',
  'name',
  'tool_calls',
  'tool_call_id',
  'reasoning_content',
  'refusal',
]);
const CALL_FIELDS = new Set(['id', 'type', 'function', 'index']);
const TOOL_FIELDS = new Set(['type', 'function']);
const FUNCTION_FIELDS = new Set(['name', 'description', 'parameters', 'strict']);
const CALLED_FIELDS = new Set(['name', 'arguments']);
const URL_FIELDS = new Set(['url', 'detail']);
const TEXT_FIELDS = new Set(['type', 'text']);
const IMAGE_FIELDS = new Set(['type', 'image_url']);

export function messagesAt(value: unknown, param: string): Message[] {
  const messages = listAt(value, param, MAX_MESSAGES);
  if (messages.length === 0) throw wrong(param, 'a list of at least one message', value);
  return messages.map((message, index) => messageAt(message, `${param}[${index}]`));
}

function messageAt(value: unknown, param: string): Message {
  const fields = objectAt(value, param);
  const given = fieldsIn(fields, `${param}.`);
  const role = oneOf(fields['role'], `${param}.role`, ROLES);
  const toolCalls = given.read('tool_calls', (calls, at) =>
    listAt(calls, at, MAX_TOOL_CALLS).map((call, index) => callAt(call, `${at}[${index}]`)),
  );
  if (role === 'tool' && typeof fields['tool_call_id'] !== 'string') {
    throw wrong(
      `${param}.tool_call_id`,
      'the id of the call that it answers',
      fields['tool_call_id'],
    );
  }
  return {
    role: role === 'developer' ? 'system' : role,
    content: given.read('content', partsAt) ?? [],
    toolCalls,
    toolCallId: given.read('tool_call_id', (id, at) => readId(id, at).id),
    name: given.text('name', MAX_NAME),
    reasoning: given.text('reasoning_content'),
    extra: others(fields, MESSAGE_FIELDS),
  };
}

export function partsAt(value: unknown, param: string): Part[] {
  if (typeof value === 'string') return [{ type: 'text', text: textAt(value, param) }];
  return listAt(value, param, MAX_PARTS).map((part, index) => partAt(part, `${param}[${index}]`));
}

function partAt(value: unknown, param: string): Part {
  const fields = objectAt(value, param);
  switch (fields['type']) {
    case 'text':
      return {
        type: 'text',
        text: textAt(fields['text'], `${param}.text`),
        extra: others(fields, TEXT_FIELDS),
      };
    case 'refusal':
      return { type: 'text', text: textAt(fields['refusal'], `${param}.refusal`) };
    case 'image_url': {
      const image = objectAt(fields['image_url'], `${param}.image_url`);
      const { detail } = image;
      return {
        type: 'image',
        url: imageAt(image['url'], `${param}.image_url.url`),
        extra: {
          ...others(fields, IMAGE_FIELDS),
          ...(detail === undefined ? {} : { detail }),
          ...within('image_url', others(image, URL_FIELDS)),
        },
      };
    }
    default:
      textAt(fields['type'], `${param}.type`, MAX_NAME);
      return { type: 'other', value: fields };
  }
}

/** An address that only the upstream may fetch, or the image itself. */
export function imageAt(value: unknown, param: string): string {
  const url = textAt(value, param);
  if (/^https:\/\//i.test(url)) return url;
  const head = /^data:image\/[\w.+-]{1,100};base64,/.exec(url)?.[0];
  if (head !== undefined && isBase64(url.slice(head.length))) return url;
  throw new FieldError(
    param,
    `"${param}" must be an https address, or a data URL of an image in base64.`,
  );
}

function callAt(value: unknown, param: string): ToolCall {
  const fields = objectAt(value, param);
  const called = objectAt(fields['function'], `${param}.function`);
  const more = within('function', others(called, CALLED_FIELDS));
  const own = joined(others(fields, CALL_FIELDS), more);
  return {
    ...readId(fields['id'], `${param}.id`, own),
    name: textAt(called['name'], `${param}.function.name`, MAX_NAME),
    arguments: textAt(called['arguments'], `${param}.function.arguments`),
  };
}

const within = (name: string, fields: Fields | undefined): Fields | undefined =>
  fields === undefined ? undefined : { [name]: fields };

const joined = (outer: Fields | undefined, inner: Fields | undefined): Fields | undefined =>
  inner === undefined ? outer : { ...outer, ...inner };

export function toolsAt(value: unknown, param: string): Tool[] {
  const tools = listAt(value, param, MAX_TOOLS).map((tool, index) => {
    const at = `${param}[${index}]`;
    const fields = objectAt(tool, at);
    if (fields['type'] !== 'function') throw wrong(`${at}.type`, '"function"', fields['type']);
    const { extra, ...declared } = functionAt(fields['function'], `${at}.function`);
    return { ...declared, extra: joined(others(fields, TOOL_FIELDS), within('function', extra)) };
  });
  return uniquelyNamed(tools, param);
}

export function functionAt(value: unknown, param: string, known = FUNCTION_FIELDS): Tool {
  const fields = objectAt(value, param);
  return {
    name: textAt(fields['name'], `${param}.name`, MAX_NAME),
    description: optional(fields['description'], (text) => textAt(text, `${param}.description`)),
    parameters: optional(fields['parameters'], (schema) => schemaAt(schema, `${param}.parameters`)),
    strict: optional(fields['strict'], (strict) => flagAt(strict, `${param}.strict`)),
    extra: others(fields, known),
  };
}

export function uniquelyNamed(tools: Tool[], param: string): Tool[] {
  const names = new Set<string>();
  for (const { name } of tools) {
    if (names.has(name)) throw new FieldError(param, `The tool "${name}" is declared twice.`);
    names.add(name);
  }
  return tools;
}

/** `name`: where the object form has the name of the tool. */
export function toolChoiceAt(
  value: unknown,
  param: string,
  nameOf: (choice: Readonly<Record<string, unknown>>) => unknown,
): ToolChoice {
  if (typeof value === 'string') return oneOf(value, param, ['auto', 'none', 'required']);
  const choice = objectAt(value, param);
  if (choice['type'] !== 'function') throw wrong(`${param}.type`, '"function"', choice['type']);
  return { name: textAt(nameOf(choice), `${param}.name`, MAX_NAME) };
}
