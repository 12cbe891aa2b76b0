/**
 * Answers of `/v1/chat/completions`, whole or as chunks.
 *
 * Clients demand of a stream: the role first, a tool's id, type and name once and then pieces of its
 * arguments by `index`, `finish_reason` in the last chunk of a choice, the usage in a chunk without
 * choices, and `[DONE]` only after a whole answer.
 */
import type { Extra, GenerateEvent, Receipt, TokenLogprob, Usage } from '@skein/generative';
import { signedId } from './call-id.ts';
import {
  addTo,
  type Choice,
  type Collected,
  type CollectedCall,
  finishOf,
  newChoice,
} from '../language/collect.ts';

export interface AnswerHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export function chatCompletion(
  head: AnswerHead,
  { choices, usage, usageExtra, extra }: Collected,
  receipt: Receipt | undefined,
): unknown {
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    ...extra,
    choices: choices.map((choice, index) => ({
      ...choice.choiceExtra,
      index,
      message: messageOf(choice),
      logprobs: choice.logprobs.length === 0 ? null : { content: choice.logprobs.map(logprobOf) },
      finish_reason: finishOf(choice),
    })),
    usage: usageOf(usage, receipt, usageExtra),
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
  id: signedId(id, extra),
  type: 'function',
  ...extra,
  function: { ...(extra?.['function'] as Extra | undefined), name, arguments: text },
});

/** With the cost in US dollars, where it is known; never with the cost that the upstream names. */
export function usageOf(
  usage: Usage | undefined,
  receipt: Receipt | undefined,
  extra: Extra = {},
): unknown {
  const counted = usage ?? receipt?.usage;
  if (counted === undefined) return null;
  const { cost: _, prompt_tokens_details, completion_tokens_details, ...more } = extra;
  const { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 } = counted;
  return {
    ...more,
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: {
      ...(prompt_tokens_details as Extra | undefined),
      cached_tokens: cachedInputTokens,
    },
    completion_tokens_details: {
      ...(completion_tokens_details as Extra | undefined),
      reasoning_tokens: reasoningTokens,
    },
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
  readonly end: (receipt: Receipt | undefined) => string;
}

export function chatChunks(head: AnswerHead, includeUsage: boolean): ChunkWriter {
  const { id, created, model } = head;
  const choices: Choice[] = [];
  let usage: Usage | undefined;
  let usageExtra: Extra | undefined;
  let extra: Extra = {};
  const opening = (): string =>
    JSON.stringify({ id, object: 'chat.completion.chunk', created, model, ...extra }).slice(0, -1);
  let start = opening();
  const rest = includeUsage ? ',"usage":null}' : '}';

  const chunk = (
    index: number,
    delta: string,
    { finish = 'null', logprobs = 'null', more = '' } = {},
  ): string =>
    `data: ${start},"choices":[{"index":${index},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}${more}}]${rest}\n\n`;

  function deltaOf(choice: Choice, event: GenerateEvent): string | undefined {
    switch (event.type) {
      case 'text':
        return withExtra(`{"content":${JSON.stringify(event.text)}`, event.extra, '}');
      case 'reasoning':
        return withExtra(`{"reasoning_content":${JSON.stringify(event.text)}`, event.extra, '}');
      case 'tool-call': {
        const { index } = event;
        const known = choice.toolCalls[index];
        addTo(choice, event);
        const { id: callId, name } = choice.toolCalls[index]!;
        const call =
          known === undefined
            ? {
                index,
                id: signedId(callId, event.extra),
                type: 'function',
                function: { name, arguments: event.arguments },
              }
            : { index, function: { arguments: event.arguments } };
        const { function: more, ...extra } = event.extra ?? {};
        const written = { ...call, ...extra, function: { ...(more as Extra), ...call.function } };
        return JSON.stringify({ tool_calls: [written] });
      }
      default:
        return undefined;
    }
  }

  return {
    write(event) {
      if (event.type === 'usage') {
        usage = event.usage;
        usageExtra = event.extra ?? usageExtra;
        return '';
      }
      if (event.type === 'start') {
        extra = { ...extra, ...event.extra };
        start = opening();
        return '';
      }
      const index = event.choice ?? 0;
      const known = choices[index];
      const choice = (choices[index] ??= newChoice());
      const first = known === undefined ? chunk(index, '{"role":"assistant","content":""}') : '';
      if (event.type === 'finish') {
        addTo(choice, event);
        const finish = JSON.stringify(finishOf(choice));
        const more = withExtra('', event.choiceExtra);
        return first + chunk(index, withExtra('{', event.extra, '}'), { finish, more });
      }
      if (event.type === 'logprobs') {
        const content = JSON.stringify({ content: event.tokens.map(logprobOf) });
        return first + chunk(index, '{}', { logprobs: content });
      }
      return first + chunk(index, deltaOf(choice, event) ?? '{}');
    },
    end(receipt) {
      const counted = JSON.stringify(usageOf(usage, receipt, usageExtra));
      const last = includeUsage ? `data: ${start},"choices":[],"usage":${counted}}\n\n` : '';
      return `${last}data: [DONE]\n\n`;
    },
  };
}

/** @param open the beginning of an object, or nothing, where fields are before. */
function withExtra(open: string, extra: Extra | undefined, close = ''): string {
  const more = extra === undefined ? '' : JSON.stringify(extra).slice(1, -1);
  if (more === '') return open + close;
  return `${open}${open === '{' ? '' : ','}${more}${close}`;
}
