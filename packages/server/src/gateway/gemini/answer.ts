/**
 * Answers in Gemini's form. A function call is sent whole, with the signature of the thought before
 * it, without which the next turn would be refused.
 */
import type {
  Extra,
  FinishReason,
  GenerateEvent,
  Receipt,
  TokenLogprob,
  Usage,
} from '@skein/generative';
import {
  addTo,
  type Choice,
  type Collected,
  type CollectedCall,
  newChoice,
} from '../generative/collect.ts';
import type { Fields } from '../generative/fields.ts';

export interface AnswerHead {
  readonly responseId: string;
  readonly modelVersion: string;
}

const REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'STOP',
  tool_calls: 'STOP',
  length: 'MAX_TOKENS',
  content_filter: 'SAFETY',
};

export function generateAnswer(
  head: AnswerHead,
  { choices, usage }: Collected,
  receipt: Receipt | undefined,
): Fields {
  return {
    candidates: choices.map((choice, index) => ({
      content: { role: 'model', parts: partsOf(choice) },
      finishReason: REASONS[choice.finish ?? 'stop'],
      index,
      ...logprobsResult(choice.logprobs),
    })),
    ...usageOf(usage, receipt),
    ...head,
  };
}

function partsOf({ text, reasoning, toolCalls }: Choice): Fields[] {
  return [
    ...(reasoning === '' ? [] : [{ text: reasoning, thought: true }]),
    ...(text === '' ? [] : [{ text }]),
    ...toolCalls.map(callPart),
  ];
}

function callPart({ id, name, arguments: text, extra }: CollectedCall): Fields {
  const signature = signatureOf(extra);
  return {
    functionCall: { id, name, args: argumentsOf(text) },
    ...(signature === undefined ? {} : { thoughtSignature: signature }),
  };
}

/** A model may write arguments that are no JSON; the client then gets the text. */
function argumentsOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return { arguments: text };
  }
}

function signatureOf(extra: Extra | undefined): unknown {
  const content = extra?.['extra_content'] as
    | { google?: { thought_signature?: unknown } }
    | undefined;
  return content?.google?.thought_signature;
}

function usageOf(usage: Usage | undefined, receipt: Receipt | undefined): Fields {
  const counted = usage ?? receipt?.usage;
  if (counted === undefined) return {};
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens = 0 } = counted;
  return {
    usageMetadata: {
      promptTokenCount: inputTokens,
      candidatesTokenCount: outputTokens - reasoningTokens,
      totalTokenCount: inputTokens + outputTokens,
      ...(cachedInputTokens === undefined ? {} : { cachedContentTokenCount: cachedInputTokens }),
      ...(reasoningTokens === 0 ? {} : { thoughtsTokenCount: reasoningTokens }),
    },
  };
}

function logprobsResult(tokens: readonly TokenLogprob[]): Fields {
  if (tokens.length === 0) return {};
  const one = ({ token, logprob }: Pick<TokenLogprob, 'token' | 'logprob'>) => ({
    token,
    logProbability: logprob,
  });
  return {
    logprobsResult: {
      chosenCandidates: tokens.map(one),
      topCandidates: tokens.map(({ top = [] }) => ({ candidates: top.map(one) })),
    },
  };
}

/** A streamed answer, as one object per event. */
export function answerPieces(head: AnswerHead) {
  const choices: Choice[] = [];
  let usage: Usage | undefined;
  const piece = (index: number, parts: readonly Fields[], more: Fields = {}): Fields => ({
    candidates: [{ content: { role: 'model', parts }, index, ...more }],
    ...head,
  });
  return {
    /** undefined: nothing to send yet. */
    pieceOf(event: GenerateEvent): Fields | undefined {
      if (event.type === 'usage') usage = event.usage;
      if (event.type === 'usage' || event.type === 'start') return undefined;
      const index = event.choice ?? 0;
      const choice = (choices[index] ??= newChoice());
      switch (event.type) {
        case 'text': {
          const signature = signatureOf(event.extra);
          const signed = signature === undefined ? {} : { thoughtSignature: signature };
          return piece(index, [{ text: event.text, ...signed }]);
        }
        case 'reasoning':
          return piece(index, [{ text: event.text, thought: true }]);
        case 'logprobs':
          return piece(index, [], logprobsResult(event.tokens));
        default:
          addTo(choice, event);
          if (event.type !== 'finish') return undefined;
          return piece(index, choice.toolCalls.map(callPart), {
            finishReason: REASONS[event.reason],
          });
      }
    },
    /** The counted tokens, after the last event. */
    last: (receipt: Receipt | undefined): Fields => ({ ...usageOf(usage, receipt), ...head }),
  };
}
