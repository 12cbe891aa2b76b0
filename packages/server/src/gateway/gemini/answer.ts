/**
 * Answers in Gemini's form. A function call is sent whole, with the signature of the thought before
 * it, without which the next turn would be refused. Parts of Gemini that have no name here, such as an
 * image or its sources, keep their place.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api';
import {
  type FinishReason,
  type GenerateEvent,
  type Generation,
  googleContent,
  signedThoughts,
  type Receipt,
  type TokenLogprob,
} from '@skein/generative';
import { addTo, type Choice, type CollectedCall, newChoice } from '../language/collect.ts';
import type { Fields } from '../language/fields.ts';

export interface AnswerHead {
  readonly responseId: string;
  readonly modelVersion: string;
}

type TextEvent = GenerateEvent & { readonly type: 'text' | 'reasoning' };
type FinishEvent = GenerateEvent & { readonly type: 'finish' };
type UsageEvent = GenerateEvent & { readonly type: 'usage' };

const REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'STOP',
  tool_calls: 'STOP',
  length: 'MAX_TOKENS',
  content_filter: 'SAFETY',
};

/** The whole answer, its parts in the order in which they came, and its calls last. */
export async function generateAnswer(
  head: AnswerHead,
  { events, receipt }: Pick<Generation, 'events' | 'receipt'>,
): Promise<Fields> {
  const candidates: Candidate[] = [];
  let usage: UsageEvent | undefined;
  let more: Fields = {};
  for await (const event of events) {
    if (event.type === 'usage') usage = event;
    else if (event.type === 'start') more = { ...more, ...googleContent(event.extra) };
    else note((candidates[event.choice ?? 0] ??= newCandidate()), event);
  }
  const whole = candidates.filter((candidate) => candidate !== undefined);
  if (whole.length === 0 || whole.some(({ finish }) => finish === undefined)) {
    throw new SkeinError('PROVIDER_CUT', 'The answer ended before it was whole.');
  }
  return {
    ...more,
    candidates: whole.map(({ parts, choice, finish }, index) => ({
      ...finish,
      content: { role: 'model', parts: [...parts, ...choice.toolCalls.map(callPart)] },
      index,
      ...logprobsResult(choice.logprobs),
    })),
    ...usageOf(usage, receipt()),
    ...head,
  };
}

interface Candidate {
  readonly parts: Fields[];
  /** Collects its calls and its log probabilities. */
  readonly choice: Choice;
  finish: Fields | undefined;
}

const newCandidate = (): Candidate => ({ parts: [], choice: newChoice(), finish: undefined });

function note(
  candidate: Candidate,
  event: Exclude<GenerateEvent, { readonly type: 'start' | 'usage' }>,
): void {
  const { parts, choice } = candidate;
  if (event.type === 'finish') candidate.finish = finishOf(event);
  if (event.type !== 'text' && event.type !== 'reasoning') return addTo(choice, event);
  for (const part of partsOf(event)) {
    const last = parts.at(-1);
    if (last === undefined || !isContinued(last, part)) parts.push(part);
    else
      parts[parts.length - 1] = {
        ...last,
        ...part,
        text: String(last['text']) + String(part['text']),
      };
  }
}

/** A text continues until the signature of its thought. */
function isContinued(last: Fields, part: Fields): boolean {
  const isOpen = last['text'] !== undefined && last['thoughtSignature'] === undefined;
  return isOpen && part['text'] !== undefined && last['thought'] === part['thought'];
}

/** The refusal of an upstream with OpenAI's form is a text here. */
function partsOf(event: TextEvent): Fields[] {
  const { thought_signature: ofText, parts = [] } = googleContent(event.extra);
  const signature = signedThoughts(event.extra).at(-1)?.thought_signature ?? ofText;
  const refusal = event.extra?.['refusal'];
  const text = event.text + (typeof refusal === 'string' ? refusal : '');
  const own = parts as Fields[];
  const isSaid = text !== '' || (signature !== undefined && own.length === 0);
  const all: Fields[] = [...(isSaid ? [{ text }] : []), ...own];
  const more = {
    ...(event.type === 'reasoning' ? { thought: true } : {}),
    ...(signature === undefined ? {} : { thoughtSignature: signature }),
  };
  return all.map((part, index) => (index === all.length - 1 ? { ...part, ...more } : part));
}

/** With Gemini's own reason, where it is another word of the same. */
function finishOf({ reason, extra }: FinishEvent): Fields {
  return { finishReason: REASONS[reason], ...googleContent(extra) };
}

function callPart({ id, name, arguments: text, extra }: CollectedCall): Fields {
  const { thought_signature: signature } = googleContent(extra);
  return {
    functionCall: { id, name, args: argumentsOf(text) },
    ...(signature === undefined ? {} : { thoughtSignature: signature }),
  };
}

/** A model may write arguments that are no JSON; the client then gets the text. */
function argumentsOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return readJson(text, JSON_BOUNDS.request);
  } catch {
    return { arguments: text };
  }
}

function usageOf(event: UsageEvent | undefined, receipt: Receipt | undefined): Fields {
  const counted = event?.usage ?? receipt?.usage;
  if (counted === undefined) return {};
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens = 0 } = counted;
  return {
    usageMetadata: {
      ...googleContent(event?.extra),
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
  let usage: UsageEvent | undefined;
  let more: Fields = {};
  const piece = (index: number, parts: readonly Fields[], candidate: Fields = {}): Fields => ({
    ...more,
    candidates: [{ ...candidate, content: { role: 'model', parts }, index }],
    ...head,
  });
  return {
    /** undefined: nothing to send yet. */
    pieceOf(event: GenerateEvent): Fields | undefined {
      if (event.type === 'start') {
        more = { ...more, ...googleContent(event.extra) };
        return undefined;
      }
      if (event.type === 'usage') {
        usage = event;
        return undefined;
      }
      const index = event.choice ?? 0;
      const choice = (choices[index] ??= newChoice());
      switch (event.type) {
        case 'text':
        case 'reasoning': {
          const parts = partsOf(event);
          return parts.length === 0 ? undefined : piece(index, parts);
        }
        case 'logprobs':
          return piece(index, [], logprobsResult(event.tokens));
        default:
          addTo(choice, event);
          if (event.type !== 'finish') return undefined;
          return piece(index, choice.toolCalls.map(callPart), finishOf(event));
      }
    },
    /** The counted tokens, after the last event. */
    last: (receipt: Receipt | undefined): Fields => ({ ...usageOf(usage, receipt), ...head }),
  };
}
