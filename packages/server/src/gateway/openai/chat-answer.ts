/**
 * Answers of `/v1/chat/completions`, whole or as chunks.
 *
 * Clients demand of a stream: the role first, a tool's id, type and name once and then pieces of its
 * arguments by `index`, `finish_reason` in the last chunk of a choice, the usage in a chunk without
 * choices, and `[DONE]` only after a whole answer.
 */
import type { Extra, GenerateEvent, Receipt, TokenLogprob, Usage } from '@skein/generative';
import {
  addTo,
  type Choice,
  type Collected,
  type CollectedCall,
  finishOf,
  newChoice,
} from '../generative/collect.ts';

export interface AnswerHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export function chatCompletion(
  head: AnswerHead,
  { choices, usage, extra }: Collected,
  receipt: Receipt | undefined,
): unknown {
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    ...extra,
    choices: choices.map((choice, index) => ({
      index,
      message: messageOf(choice),
      logprobs: choice.logprobs.length === 0 ? null : { content: choice.logprobs.map(logprobOf) },
      finish_reason: finishOf(choice),
    })),
    usage: usageOf(usage, receipt),
  };
}

function messageOf(choice: Choice): unknown {
  const { text, reasoning, toolCalls, extra } = choice;
  return {
    role: 'assistant',
    content: text === '' && toolCalls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(callOf) }),
    ...extra,
  };
}

const callOf = ({ id, name, arguments: text, extra }: CollectedCall): unknown => ({
  id,
  type: 'function',
  function: { name, arguments: text },
  ...extra,
});

/** With the cost in US dollars, where it is known. */
export function usageOf(usage: Usage | undefined, receipt: Receipt | undefined): unknown {
  const counted = usage ?? receipt?.usage;
  if (counted === undefined) return null;
  const { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 } = counted;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedInputTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
    ...(receipt === undefined ? {} : { cost: receipt.costUsd }),
  };
}

export function logprobOf({ token, logprob, bytes, top = [] }: TokenLogprob): unknown {
  return {
    token,
    logprob,
    bytes: bytes ?? [...Buffer.from(token)],
    top_logprobs: top.map((other) => ({
      token: other.token,
      logprob: other.logprob,
      bytes: other.bytes ?? [...Buffer.from(other.token)],
    })),
  };
}

export interface ChunkWriter {
  /** The text of the events of a stream that this event becomes; '' for none. */
  readonly write: (event: GenerateEvent) => string;
  /** After the last event. */
  end(receipt: Receipt | undefined): string;
}

export function chatChunks(head: AnswerHead, includeUsage: boolean): ChunkWriter {
  const { id, created, model } = head;
  const choices: Choice[] = [];
  let usage: Usage | undefined;
  let start = JSON.stringify({ id, object: 'chat.completion.chunk', created, model }).slice(0, -1);
  const rest = includeUsage ? ',"usage":null}' : '}';

  const chunk = (index: number, delta: string, finish = 'null', logprobs = 'null'): string =>
    `data: ${start},"choices":[{"index":${index},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}}]${rest}\n\n`;

  /** The delta of an event. */
  function deltaOf(choice: Choice, event: GenerateEvent): string | undefined {
    switch (event.type) {
      case 'text':
        return withExtra(`{"content":${JSON.stringify(event.text)}`, event.extra);
      case 'reasoning':
        return withExtra(`{"reasoning_content":${JSON.stringify(event.text)}`, event.extra);
      case 'tool-call': {
        const { index } = event;
        const known = choice.toolCalls[index];
        addTo(choice, event);
        const { id: callId, name } = choice.toolCalls[index]!;
        const call =
          known === undefined
            ? {
                index,
                id: callId,
                type: 'function',
                function: { name, arguments: event.arguments },
              }
            : { index, function: { arguments: event.arguments } };
        return JSON.stringify({ tool_calls: [{ ...call, ...event.extra }] });
      }
      default:
        return undefined;
    }
  }

  return {
    write(event) {
      if (event.type === 'usage') {
        usage = event.usage;
        return '';
      }
      if (event.type === 'start') {
        if (event.extra !== undefined) start += `,${JSON.stringify(event.extra).slice(1, -1)}`;
        return '';
      }
      const index = event.choice ?? 0;
      const known = choices[index];
      const choice = (choices[index] ??= newChoice());
      const first = known === undefined ? chunk(index, '{"role":"assistant","content":""}') : '';
      if (event.type === 'finish') {
        addTo(choice, event);
        return first + chunk(index, withExtra('{', event.extra), JSON.stringify(finishOf(choice)));
      }
      if (event.type === 'logprobs') {
        const content = JSON.stringify({ content: event.tokens.map(logprobOf) });
        return first + chunk(index, '{}', 'null', content);
      }
      return first + chunk(index, deltaOf(choice, event) ?? '{}');
    },
    end(receipt) {
      const counted = JSON.stringify(usageOf(usage, receipt));
      const last = includeUsage ? `data: ${start},"choices":[],"usage":${counted}}\n\n` : '';
      return `${last}data: [DONE]\n\n`;
    },
  };
}

/** @param open an object without its closing brace. */
function withExtra(open: string, extra: Extra | undefined): string {
  const more = extra === undefined ? '' : JSON.stringify(extra).slice(1, -1);
  if (more === '') return `${open}}`;
  return open === '{' ? `{${more}}` : `${open},${more}}`;
}
