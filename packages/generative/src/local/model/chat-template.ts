/** Writes messages as the text that a model was trained on, by its Jinja template. */
import { Template } from '@huggingface/jinja';
import { SkeinError } from '@skein/api';
import type { GenerateRequest, Message, Part, Tool } from '../../contract.ts';
import { FieldError } from '../../field-error.ts';
import { asText, parsedOr } from '../../wire/json.ts';
import { invalid } from './invalid.ts';

export type ChatTemplate = ReturnType<typeof readChatTemplate>;

/** @throws SkeinError LANGUAGE_MODEL_INVALID when the source is not a template. */
export function readChatTemplate(source: string, tokens: Readonly<Record<string, string>>) {
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw invalid('The chat template of the model cannot be read', error);
  }
  const hasPlaceForTools = /\btools\b/.test(source);
  return {
    /** @throws SkeinError PROVIDER_REJECTED when the template refuses the messages, GENERATION_UNSUPPORTED for images, and for tools that the template has no place for. */
    render({ messages, tools = [], toolChoice = 'auto' }: GenerateRequest): string {
      // The grammar of a required call has the tools, and a request that forbids them needs none.
      if (tools.length > 0 && toolChoice === 'auto' && !hasPlaceForTools) {
        const text = 'The chat template of the model has no place for tools.';
        throw new FieldError('tools', text, 'GENERATION_UNSUPPORTED');
      }
      const plain = messages.map(messageOf);
      try {
        return template.render({
          ...tokens,
          messages: plain,
          tools: tools.length === 0 ? undefined : tools.map(toolOf),
          add_generation_prompt: true,
        });
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        const text = `The chat template of the model refuses the messages: ${reason}`;
        throw new SkeinError('PROVIDER_REJECTED', text, { cause });
      }
    },
  };
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
