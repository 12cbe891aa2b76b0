/**
 * Answers of Gemini as events. The stream ends with its connection, without a mark of its own, so
 * that only a finish reason shows that it was whole. Calls arrive whole.
 */
import type { FinishReason, GenerateEvent, TokenLogprob } from '../../contract.ts';
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
import type { SignedThought } from '../../wire/google-fields.ts';
import { upstreamError } from '../../wire/upstream-error.ts';

const FILTERED = namesOf(`
  SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII LANGUAGE IMAGE_SAFETY
  IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION MODEL_ARMOR ESCALATION
`);
const REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['STOP', 'stop'],
  ['MAX_TOKENS', 'length'],
  ...Array.from(FILTERED, (name) => [name, 'content_filter'] as const),
]);
/** No whole answer, such as a call that cannot be read: another try, or another provider, may do better. */
const FAILED = namesOf(`
  MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE
  MALFORMED_RESPONSE NO_IMAGE IMAGE_OTHER OTHER
`);

const PART_FIELDS = namesOf('text thought thoughtSignature functionCall');
const CHUNK_FIELDS = namesOf('candidates usageMetadata modelVersion responseId promptFeedback');
const USAGE_FIELDS = namesOf(`
  promptTokenCount toolUsePromptTokenCount candidatesTokenCount thoughtsTokenCount
  cachedContentTokenCount totalTokenCount
`);
const CANDIDATE_FIELDS = namesOf('content finishReason index logprobsResult avgLogprobs');

export interface GeminiDecoder {
  decode(chunk: Json): GenerateEvent[];
  /** @throws SkeinError PROVIDER_CUT unless the answer was whole. */
  end(): void;
}

export function createDecoder(provider: string): GeminiDecoder {
  /** Calls so far, by candidate. */
  const calls = new Map<number, number>();
  const finished = new Set<number>();
  const seen = new Set<number>();
  /** Fields of candidates without a word of ours, until their finish. */
  const fields = new Map<number, Json>();
  const thoughts = new Map<number, { length: number; readonly signed: SignedThought[] }>();
  let isStarted = false;

  /** The signatures of a candidate's thoughts so far, if this part of one has another. */
  function signedBy(candidate: number, text: string, signature: string | undefined): Json {
    const known = thoughts.get(candidate) ?? { length: 0, signed: [] };
    thoughts.set(candidate, known);
    known.length += text.length;
    if (signature === undefined) return {};
    known.signed.push({ thought_signature: signature, end: known.length });
    return { thoughts: [...known.signed] };
  }

  function decodePart(part: Json, candidate: number, at: { choice?: number }): GenerateEvent[] {
    const signature = asText(part['thoughtSignature']);
    const rest = otherFields(part, PART_FIELDS);
    const text = asText(part['text']) ?? '';
    const isThought = part['thought'] === true && part['functionCall'] === undefined;
    const own = signature === undefined ? {} : { thought_signature: signature };
    const google = {
      ...(isThought ? signedBy(candidate, text, signature) : own),
      ...(rest === undefined ? {} : { parts: [rest] }),
    };
    const extra = Object.keys(google).length === 0 ? {} : { extra: ofGoogle(google) };
    const call = asObject(part['functionCall']);
    if (call !== undefined) {
      const index = calls.get(candidate) ?? 0;
      calls.set(candidate, index + 1);
      return [
        {
          type: 'tool-call',
          index,
          id: asText(call['id']) || `call_${crypto.randomUUID()}`,
          name: asText(call['name']) ?? '',
          arguments: JSON.stringify(call['args'] ?? {}),
          ...at,
          ...extra,
        },
      ];
    }
    if (text === '' && !('extra' in extra)) return [];
    return [{ type: isThought ? 'reasoning' : 'text', text, ...at, ...extra }];
  }

  function decodeFinish(reason: string, candidate: number, rest: Json | undefined): GenerateEvent {
    if (FAILED.has(reason)) {
      throw upstreamError('PROVIDER_FAILED', {
        provider,
        message: `the model gave no whole answer (${reason}).`,
      });
    }
    finished.add(candidate);
    const known = REASONS.get(reason);
    const isCalls = (calls.get(candidate) ?? 0) > 0 && (known ?? 'stop') === 'stop';
    const google = {
      ...rest,
      ...(known === undefined || known === 'content_filter' ? { finishReason: reason } : {}),
    };
    return {
      type: 'finish',
      reason: isCalls ? 'tool_calls' : (known ?? 'stop'),
      ...(candidate === 0 ? {} : { choice: candidate }),
      ...(Object.keys(google).length === 0 ? {} : { extra: ofGoogle(google) }),
    };
  }

  function decodeCandidate(raw: Json): GenerateEvent[] {
    const candidate = asCount(raw['index']) ?? 0;
    seen.add(candidate);
    const at = candidate === 0 ? {} : { choice: candidate };
    const parts = asObjects(asObject(raw['content'])?.['parts']);
    const events = parts.flatMap((part) => decodePart(part, candidate, at));
    const tokens = logprobsOf(asObject(raw['logprobsResult']));
    if (tokens.length > 0) events.push({ type: 'logprobs', tokens, ...at });
    const rest = otherFields(raw, CANDIDATE_FIELDS);
    if (rest !== undefined) fields.set(candidate, { ...fields.get(candidate), ...rest });
    const reason = asText(raw['finishReason']);
    if (reason && reason !== 'FINISH_REASON_UNSPECIFIED' && !finished.has(candidate)) {
      events.push(decodeFinish(reason, candidate, fields.get(candidate)));
    }
    return events;
  }

  return {
    decode(chunk) {
      const blocked = asText(asObject(chunk['promptFeedback'])?.['blockReason']);
      if (blocked !== undefined && blocked !== 'BLOCKED_REASON_UNSPECIFIED') {
        throw upstreamError('CONTENT_FILTERED', {
          provider,
          message: `its filter blocked the prompt (${blocked.slice(0, 60)}).`,
        });
      }
      const events: GenerateEvent[] = [];
      if (!isStarted) {
        isStarted = true;
        const [id, model] = [asText(chunk['responseId']), asText(chunk['modelVersion'])];
        const extra = otherFields(chunk, CHUNK_FIELDS);
        const more = extra === undefined ? {} : { extra: ofGoogle(extra) };
        events.push({ type: 'start', id, model, ...more });
      }
      for (const raw of asObjects(chunk['candidates'])) events.push(...decodeCandidate(raw));
      const usage = usageOf(asObject(chunk['usageMetadata']));
      if (usage !== undefined) events.push(usage);
      return events;
    },
    end() {
      if (seen.size > 0 && [...seen].every((candidate) => finished.has(candidate))) return;
      throw upstreamError('PROVIDER_CUT', {
        provider,
        message: 'its answer ended without a finish reason.',
      });
    },
  };
}

const ofGoogle = (google: Json): Json => ({ extra_content: { google } });

function usageOf(usage: Json | undefined): GenerateEvent | undefined {
  if (usage === undefined) return undefined;
  const count = (key: string): number => asTokens(usage[key]) ?? 0;
  const extra = otherFields(usage, USAGE_FIELDS);
  return {
    ...(extra === undefined ? {} : { extra: ofGoogle(extra) }),
    type: 'usage',
    usage: {
      inputTokens: count('promptTokenCount') + count('toolUsePromptTokenCount'),
      outputTokens: count('candidatesTokenCount') + count('thoughtsTokenCount'),
      cachedInputTokens: asTokens(usage['cachedContentTokenCount']),
      reasoningTokens: asTokens(usage['thoughtsTokenCount']),
    },
  };
}

function logprobsOf(result: Json | undefined): TokenLogprob[] {
  const top = asObjects(result?.['topCandidates']);
  return asObjects(result?.['chosenCandidates']).flatMap((chosen, position) => {
    const token = tokenOf(chosen);
    if (token === undefined) return [];
    const others = asObjects(top[position]?.['candidates']).flatMap((each) => tokenOf(each) ?? []);
    return [{ ...token, top: others }];
  });
}

function tokenOf({ token, logProbability }: Json): TokenLogprob | undefined {
  return typeof token === 'string' && typeof logProbability === 'number'
    ? { token, logprob: logProbability }
    : undefined;
}
