/** Answers of `/v1/completions`, which continue a prompt. */
import type { Extra, Receipt, TokenLogprob, Usage } from '@skein/generative';
import { type Collected, finishOf, newChoice } from '../language/collect.ts';
import { type AnswerHead, type ChunkWriter, usageOf } from './chat-answer.ts';

export function textCompletion(
  { id, created, model }: AnswerHead,
  { choices, usage, usageExtra, extra }: Collected,
  receipt: Receipt | undefined,
): unknown {
  return {
    id,
    object: 'text_completion',
    created,
    model,
    ...extra,
    choices: choices.map((choice, index) => ({
      ...choice.choiceExtra,
      text: choice.text,
      index,
      logprobs: logprobsOf(choice.logprobs),
      finish_reason: finishOf(choice),
    })),
    usage: usageOf(usage, receipt, usageExtra),
  };
}

export function completionChunks(
  { id, created, model }: AnswerHead,
  includeUsage: boolean,
): ChunkWriter {
  let head: Extra = { id, object: 'text_completion', created, model };
  let usage: Usage | undefined;
  let usageExtra: Extra | undefined;
  const chunk = (choice: object): string =>
    `data: ${JSON.stringify({ ...head, choices: [choice], ...(includeUsage ? { usage: null } : {}) })}\n\n`;
  return {
    write(event) {
      if (event.type === 'usage') {
        usage = event.usage;
        usageExtra = event.extra ?? usageExtra;
        return '';
      }
      if (event.type === 'start') {
        head = { ...event.extra, ...head };
        return '';
      }
      const index = event.choice ?? 0;
      if (event.type === 'text') {
        return chunk({ text: event.text, index, logprobs: null, finish_reason: null });
      }
      if (event.type === 'logprobs') {
        return chunk({ text: '', index, logprobs: logprobsOf(event.tokens), finish_reason: null });
      }
      if (event.type !== 'finish') return '';
      const finish = finishOf({ ...newChoice(), finish: event.reason });
      const more = event.choiceExtra;
      return chunk({ ...more, text: '', index, logprobs: null, finish_reason: finish });
    },
    end(receipt) {
      const counted = { ...head, choices: [], usage: usageOf(usage, receipt, usageExtra) };
      const last = includeUsage ? `data: ${JSON.stringify(counted)}\n\n` : '';
      return `${last}data: [DONE]\n\n`;
    },
  };
}

function logprobsOf(tokens: readonly TokenLogprob[]): unknown {
  if (tokens.length === 0) return null;
  return {
    tokens: tokens.map(({ token }) => token),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top = [] }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [token, logprob])),
    ),
  };
}
