/**
 * The form of an answer: text, JSON of a schema, or a call to a tool. A form has the grammar that
 * the tokens must keep, and reads the text into events.
 *
 * A call that the client requires is made by the grammar: the model fills in
 * `{"name": …, "arguments": …}`. A call that the model may choose comes between `<tool_call>` and
 * `</tool_call>`, as the templates of Qwen, Hermes and SmolLM ask for it. The grammar holds the arguments
 * of strict tools to their schemas. With an answer schema, it lets the model either call or answer.
 */
import { randomUUID } from 'node:crypto';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { GenerateEvent, GenerateRequest } from '../contract.ts';
import { about } from '../field-error.ts';
import { grammarOfSchema } from './grammar/json-schema.ts';
import { ANY_OBJECT, oneOf, type Sequence } from './grammar/json-text.ts';
import {
  CLOSE,
  grammarOfCall,
  grammarOfMarkedCalls,
  grammarOfTextWithCalls,
  OPEN,
} from './tool-grammar.ts';
import { TextStream } from './engine/text-stream.ts';

export interface AnswerForm {
  readonly grammar: Sequence | undefined;
  /** A reader of one choice: pieces of its text, and the reason with the last one. */
  read(
    choice: number,
  ): (text: string, end: 'stop' | 'length' | undefined) => Iterable<GenerateEvent>;
}

/** @throws FieldError GENERATION_UNSUPPORTED when the schema has a part that cannot be kept. */
export function answerOf(request: GenerateRequest): AnswerForm {
  const { tools = [], toolChoice = 'auto', format } = request;
  if (tools.length > 0 && toolChoice !== 'none' && toolChoice !== 'auto') {
    const grammar = about('tools', () => grammarOfCall(tools, toolChoice));
    return { grammar, read: readForcedCall };
  }
  const mayCall = tools.length > 0 && toolChoice === 'auto';
  const read = mayCall ? readMarkedCalls : readText;
  if (format === undefined || format.type === 'text') {
    const isStrict = mayCall && tools.some(({ strict }) => strict === true);
    const grammar = isStrict ? about('tools', () => grammarOfTextWithCalls(tools)) : undefined;
    return { grammar, read };
  }
  const json =
    format.type === 'json'
      ? ANY_OBJECT
      : about('response_format', () => grammarOfSchema(format.schema));
  if (!mayCall) return { grammar: json, read };
  return { grammar: oneOf([json, about('tools', () => grammarOfMarkedCalls(request))]), read };
}

type Reader = ReturnType<AnswerForm['read']>;

const at = (choice: number): { readonly choice?: number } => (choice === 0 ? {} : { choice });

function readText(choice: number): Reader {
  return function* read(text, end) {
    if (text !== '') yield { type: 'text', text, ...at(choice) };
    if (end !== undefined) yield { type: 'finish', reason: end, ...at(choice) };
  };
}

/** The whole answer is one call; one that the limit cut off is returned as text. */
function readForcedCall(choice: number): Reader {
  let whole = '';
  return function* read(text, end) {
    whole += text;
    if (end === undefined) return;
    const call = callOf(whole);
    if (call === undefined) yield { type: 'text', text: whole, ...at(choice) };
    else yield { type: 'tool-call', index: 0, ...call, ...at(choice) };
    yield { type: 'finish', reason: call === undefined ? end : 'tool_calls', ...at(choice) };
  };
}

/** Text outside of marks, and a call for each pair of marks. */
function readMarkedCalls(choice: number): Reader {
  const utf8 = new TextEncoder();
  let outside = new TextStream([OPEN]);
  let inside: string | undefined;
  let calls = 0;
  function* take(text: string): Iterable<GenerateEvent> {
    if (inside === undefined) {
      seen += text;
      const shown = outside.push(utf8.encode(text));
      if (shown !== '') yield { type: 'text', text: shown, ...at(choice) };
      if (!outside.stopped) return;
      inside = '';
      const rest = seen.slice(seen.indexOf(OPEN) + OPEN.length);
      seen = '';
      yield* take(rest);
      return;
    }
    inside += text;
    const close = inside.indexOf(CLOSE);
    if (close === -1) return;
    const [body, rest] = [inside.slice(0, close), inside.slice(close + CLOSE.length)];
    const call = callOf(body);
    if (call === undefined) yield { type: 'text', text: OPEN + body + CLOSE, ...at(choice) };
    else yield { type: 'tool-call', index: calls++, ...call, ...at(choice) };
    inside = undefined;
    outside = new TextStream([OPEN]);
    if (rest.trim() !== '') yield* take(rest);
  }
  let seen = '';
  return function* read(text, end) {
    yield* take(text);
    if (end === undefined) return;
    const rest = inside === undefined ? outside.end() : OPEN + inside;
    if (rest !== '') yield { type: 'text', text: rest, ...at(choice) };
    yield {
      type: 'finish',
      reason: calls > 0 && end === 'stop' ? 'tool_calls' : end,
      ...at(choice),
    };
  };
}

function callOf(text: string): { id: string; name: string; arguments: string } | undefined {
  try {
    const { name, arguments: given } = readJson(text, JSON_BOUNDS.request) as {
      name?: unknown;
      arguments?: unknown;
    };
    if (typeof name !== 'string' || typeof given !== 'object' || given === null) return undefined;
    return {
      id: `call_${randomUUID().replaceAll('-', '')}`,
      name,
      arguments: JSON.stringify(given),
    };
  } catch {
    return undefined;
  }
}
