/** Writes messages as the text that a model was trained on, by its Jinja template. */
import { Template } from '@huggingface/jinja';
import { SkeinError } from '@skein/api';
import type { GenerateRequest, Message, Part, Tool } from '../../contract.ts';
import { FieldError } from '../../field-error.ts';
import { asText, parsedOr } from '../../wire/json.ts';
import { invalid } from './invalid.ts';

export class ChatTemplate {
  /** Whether the template has a place for tools. */
  readonly #takesTools: boolean;
  readonly #template: Template;
  readonly #tokens: Readonly<Record<string, string>>;

  /** @throws SkeinError LANGUAGE_MODEL_INVALID when the source is not a template. */
  constructor(source: string, tokens: Readonly<Record<string, string>>) {
    try {
      this.#template = new Template(source);
    } catch (error) {
      throw invalid('The chat template of the model cannot be read', error);
    }
    this.#tokens = tokens;
    this.#takesTools = /\btools\b/.test(source);
  }

  /** @throws SkeinError UPSTREAM_REJECTED when the template refuses the messages, GENERATION_UNSUPPORTED for images, and for tools that the template has no place for. */
  render({ messages, tools = [], toolChoice = 'auto' }: GenerateRequest): string {
    // The grammar of a required call has the tools, and a request that forbids them needs none.
    if (tools.length > 0 && toolChoice === 'auto' && !this.#takesTools) {
      throw new FieldError(
        'tools',
        'The chat template of the model has no place for tools.',
        'GENERATION_UNSUPPORTED',
      );
    }
    const plain = messages.map(messageOf);
    try {
      return this.#template.render({
        ...this.#tokens,
        messages: plain,
        tools: tools.length === 0 ? undefined : tools.map(toolOf),
        add_generation_prompt: true,
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new SkeinError(
        'UPSTREAM_REJECTED',
        `The chat template of the model refuses the messages: ${reason}`,
        {
          cause: error,
        },
      );
    }
  }
}

const toolOf = ({ name, description = '', parameters = {} }: Tool) => ({
  type: 'function',
  function: { name, description, parameters },
});

function messageOf({
  role,
  content,
  toolCalls,
  toolCallId,
  name,
}: Message): Readonly<Record<string, unknown>> {
  return {
    role,
    content: content.map(textOf).join(''),
    ...(name === undefined ? {} : { name }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
    ...(toolCalls === undefined || toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map((call) => ({
            id: call.id,
            type: 'function',
            // Templates write arguments as JSON themselves.
            function: { name: call.name, arguments: parsedOr(call.arguments, call.arguments) },
          })),
        }),
  };
}

function textOf(part: Part): string {
  if (part.type === 'text') return part.text;
  throw new SkeinError(
    'GENERATION_UNSUPPORTED',
    `The model reads text only, and a message has a part of type ${typeOf(part)}.`,
  );
}

/** In the words of the client. */
const typeOf = (part: Part): string =>
  part.type === 'other' ? (asText(part.value['type']) ?? 'unknown').slice(0, 60) : part.type;
