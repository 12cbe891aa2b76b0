/**
 * Answers of OpenAI's form as events: chunks of a stream, or one whole answer.
 *
 * It repairs what upstreams of this style are known to get wrong. A call's name and id come once,
 * although llama.cpp repeats them; calls that share an index but not an id are two calls; a finish
 * for `stop` after calls is one for `tool_calls`. An end without a finish is an error.
 */
import type { FinishReason, GenerateEvent, TokenLogprob, Usage } from '../../contract.ts';
import {
  asCount,
  asTokens,
  asObject,
  asObjects,
  asText,
  namesOf,
  otherFields,
  type Json,
} from '../../wire/json.ts';
import { upstreamError } from '../../wire/upstream-error.ts';

// `obfuscation` hides the length of a chunk and carries no content.
const CHUNK_FIELDS = namesOf('id object created model choices usage obfuscation');
const CHOICE_FIELDS = namesOf('index delta message text logprobs finish_reason');
const FUNCTION_FIELDS = namesOf('name arguments');
const DELTA_FIELDS = namesOf('role content reasoning_content reasoning tool_calls function_call');
const CALL_FIELDS = namesOf('index id type function');
const USAGE_FIELDS = namesOf('prompt_tokens completion_tokens total_tokens');

const REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
};

interface Choice {
  /** The ids of the calls by their place in the answer. */
  readonly calls: { readonly id: string | undefined; readonly wireIndex: number }[];
  isFinished: boolean;
  /** Fields without a word of ours; the last one of a name counts. */
  extra: Json | undefined;
}

const newChoice = (): Choice => ({ calls: [], isFinished: false, extra: undefined });

export interface Decoder {
  /** Events of a chunk, or of a whole answer, which has `message` in the place of `delta`. */
  decode(chunk: Json): GenerateEvent[];
  /** @throws SkeinError PROVIDER_CUT unless the answer was whole. */
  end(): void;
}

export function createDecoder(provider: string): Decoder {
  const choices = new Map<number, Choice>();
  let isStarted = false;
  /** Fields of the whole answer that have been sent, as JSON. */
  const sent = new Map<string, string>();

  function choiceAt(index: number): Choice {
    let choice = choices.get(index);
    if (choice === undefined) choices.set(index, (choice = newChoice()));
    return choice;
  }

  /** The place of a call in the answer, which is new when no earlier delta had it. */
  function placeOf(
    choice: Choice,
    call: Json,
    position: number,
  ): { place: number; isNew: boolean } {
    const wireIndex = asCount(call['index']) ?? position;
    const id = asText(call['id']) || undefined;
    const last = choice.calls.findLastIndex((each) => each.wireIndex === wireIndex);
    const isSame = last >= 0 && (id === undefined || choice.calls[last]!.id === id);
    if (isSame) return { place: last, isNew: false };
    return { place: choice.calls.push({ id, wireIndex }) - 1, isNew: true };
  }

  function decodeCalls(choice: Choice, list: unknown, at: { choice?: number }): GenerateEvent[] {
    return asObjects(list).map((call, position) => {
      const { place, isNew } = placeOf(choice, call, position);
      const fn = asObject(call['function']) ?? {};
      const inner = otherFields(fn, FUNCTION_FIELDS);
      const outer = otherFields(call, CALL_FIELDS);
      const extra = inner === undefined ? outer : { ...outer, function: inner };
      return {
        type: 'tool-call',
        index: place,
        ...(isNew ? { id: asText(call['id']) || `call_${crypto.randomUUID()}` } : {}),
        ...(isNew ? { name: asText(fn['name']) ?? '' } : {}),
        arguments: asText(fn['arguments']) ?? '',
        ...at,
        ...(extra === undefined ? {} : { extra }),
      };
    });
  }

  function decodeChoice(raw: Json): GenerateEvent[] {
    const index = asCount(raw['index']) ?? 0;
    const choice = choiceAt(index);
    const at = index === 0 ? {} : { choice: index };
    const unread = otherFields(raw, CHOICE_FIELDS);
    if (unread !== undefined) choice.extra = { ...choice.extra, ...unread };
    const delta = asObject(raw['delta']) ?? asObject(raw['message']) ?? {};
    const events: GenerateEvent[] = [];
    const reasoning = asText(delta['reasoning_content']) ?? asText(delta['reasoning']);
    if (reasoning) events.push({ type: 'reasoning', text: reasoning, ...at });
    const text = contentOf(delta['content']) ?? asText(raw['text']);
    const extra = otherFields(delta, DELTA_FIELDS);
    if (text || extra !== undefined) {
      events.push({
        type: 'text',
        text: text ?? '',
        ...at,
        ...(extra === undefined ? {} : { extra }),
      });
    }
    events.push(...decodeCalls(choice, delta['tool_calls'], at));
    const tokens = logprobsOf(raw['logprobs']);
    if (tokens.length > 0) events.push({ type: 'logprobs', tokens, ...at });
    const reason = asText(raw['finish_reason']);
    if (reason && !choice.isFinished) {
      if (reason === 'error') {
        throw upstreamError('PROVIDER_FAILED', {
          provider,
          message: 'it failed while it generated.',
        });
      }
      choice.isFinished = true;
      const known = REASONS[reason];
      const isCalls = choice.calls.length > 0 && (known ?? 'stop') === 'stop';
      events.push({
        type: 'finish',
        reason: isCalls ? 'tool_calls' : (known ?? 'stop'),
        ...at,
        ...(known === undefined ? { extra: { finish_reason: reason } } : {}),
        ...(choice.extra === undefined ? {} : { choiceExtra: choice.extra }),
      });
    }
    return events;
  }

  /** Fields of the whole answer that no earlier chunk had so; undefined: none. */
  function newFields(chunk: Json): Json | undefined {
    const fields = otherFields(chunk, CHUNK_FIELDS);
    if (fields === undefined) return undefined;
    const fresh = Object.entries(fields).filter(([name, value]) => {
      const text = JSON.stringify(value);
      if (sent.get(name) === text) return false;
      sent.set(name, text);
      return true;
    });
    return fresh.length === 0 ? undefined : Object.fromEntries(fresh);
  }

  return {
    decode(chunk) {
      const events: GenerateEvent[] = [];
      const extra = newFields(chunk);
      if (!isStarted) {
        isStarted = true;
        const [id, model] = [asText(chunk['id']), asText(chunk['model'])];
        events.push({ type: 'start', id, model, ...(extra === undefined ? {} : { extra }) });
      } else if (extra !== undefined) events.push({ type: 'start', extra });
      for (const raw of asObjects(chunk['choices'])) events.push(...decodeChoice(raw));
      const usage = usageOf(asObject(chunk['usage']));
      if (usage !== undefined) events.push(usage);
      return events;
    },
    end() {
      if (choices.size > 0 && [...choices.values()].every(({ isFinished }) => isFinished)) return;
      throw upstreamError('PROVIDER_CUT', {
        provider,
        message: 'its answer ended without a finish reason.',
      });
    },
  };
}

/** A text, or parts of text as some upstreams answer. */
function contentOf(content: unknown): string | undefined {
  if (!Array.isArray(content)) return asText(content);
  return asObjects(content)
    .map((part) => asText(part['text']) ?? '')
    .join('');
}

function logprobsOf(value: unknown): TokenLogprob[] {
  const { content, tokens, token_logprobs, top_logprobs } = asObject(value) ?? {};
  if (Array.isArray(tokens)) return columnsOf(tokens, token_logprobs, top_logprobs);
  return asObjects(content).flatMap((entry) => {
    const token = tokenOf(entry);
    if (token === undefined) return [];
    return [
      { ...token, top: asObjects(entry['top_logprobs']).flatMap((each) => tokenOf(each) ?? []) },
    ];
  });
}

/** Reads the columns of `/completions`: a list of tokens, one of their logarithms, and one of the alternatives. */
function columnsOf(tokens: readonly unknown[], logprobs: unknown, tops: unknown): TokenLogprob[] {
  const [values, others] = [logprobs, tops].map((list) => (Array.isArray(list) ? list : []));
  return tokens.flatMap((token, index) => {
    const top = Object.entries(asObject(others?.[index]) ?? {});
    const entry = tokenOf({ token, logprob: values?.[index] as unknown });
    if (entry === undefined) return [];
    return [
      { ...entry, top: top.flatMap(([name, logprob]) => tokenOf({ token: name, logprob }) ?? []) },
    ];
  });
}

function tokenOf(entry: Json): TokenLogprob | undefined {
  const { token, logprob, bytes } = entry;
  if (typeof token !== 'string' || typeof logprob !== 'number') return undefined;
  const isBytes = Array.isArray(bytes) && bytes.every((each) => typeof each === 'number');
  return { token, logprob, ...(isBytes ? { bytes } : {}) };
}

function usageOf(usage: Json | undefined): GenerateEvent | undefined {
  if (usage === undefined) return undefined;
  const counts: Usage = {
    inputTokens: asTokens(usage['prompt_tokens']) ?? 0,
    outputTokens: asTokens(usage['completion_tokens']) ?? 0,
    cachedInputTokens: asTokens(asObject(usage['prompt_tokens_details'])?.['cached_tokens']),
    reasoningTokens: asTokens(asObject(usage['completion_tokens_details'])?.['reasoning_tokens']),
  };
  const extra = otherFields(usage, USAGE_FIELDS);
  return { type: 'usage', usage: counts, ...(extra === undefined ? {} : { extra }) };
}
