/**
 * The reasoning item of a response. Its `encrypted_content`, which clients send back as it came, has
 * the signatures that Gemini wants back: of its thoughts, its text and its calls. Messages and calls
 * have theirs in `extra_content` too, which clients that know OpenAI's fields alone leave out.
 */
import { JSON_BOUNDS, readJsonOr } from '@skein/api/foreign-json';
import { type Extra, googleContent, signedThoughts } from '@skein/generative';
import type { Choice } from '../language/collect.ts';
import { joinedExtra } from '../language/joined-extra.ts';
import type { Fields } from '../language/fields.ts';
import type { ReasoningSeals } from './reasoning-seals.ts';

export interface Signatures {
  /** Signatures of the assistant's message: of its thoughts and its text. */
  readonly message: Extra;
  /** By the id of the call. */
  readonly calls: ReadonlyMap<string, Extra>;
}

export const hasSignature = (extra: Extra | undefined): boolean =>
  signatureOf(extra) !== undefined || signedThoughts(extra).length > 0;

/** @param choice absent: the item as it opens. */
export function reasoningItem(id: string, seals: ReasoningSeals, choice?: Choice): Fields {
  const text = choice?.reasoning ?? '';
  const kept = choice === undefined ? undefined : signaturesOf(choice, seals);
  return {
    type: 'reasoning',
    id: `rs_${id}`,
    summary: text === '' ? [] : [summaryPart(text)],
    ...(kept === undefined ? {} : { encrypted_content: kept }),
  };
}

export const summaryPart = (text: string): Fields => ({ type: 'summary_text', text });

export const isReasoned = ({ reasoning, extra, toolCalls }: Choice): boolean =>
  reasoning !== '' || [extra, ...toolCalls.map((call) => call.extra)].some(hasSignature);

function signaturesOf({ extra, toolCalls }: Choice, seals: ReasoningSeals): string | undefined {
  const thoughts = signedThoughts(extra);
  const text = signatureOf(extra);
  const calls = toolCalls.flatMap((call) => {
    const signature = signatureOf(call.extra);
    return signature === undefined ? [] : [[call.id, signature]];
  });
  if (thoughts.length + calls.length === 0 && text === undefined) return undefined;
  return seals.seal(JSON.stringify({ thoughts, text, calls }));
}

/** @returns undefined for the content of another server, which is ignored here. */
export function signaturesIn(
  content: unknown,
  param: string,
  seals: ReasoningSeals,
): Signatures | undefined {
  const opened = seals.open(content, param);
  if (opened === undefined) return undefined;
  const value = readJsonOr(opened, JSON_BOUNDS.request, undefined);
  if (typeof value !== 'object' || value === null) return undefined;
  const { thoughts, text, calls } = value as Fields;
  return {
    message: ofGoogle({
      thoughts,
      ...(typeof text === 'string' ? { thought_signature: text } : {}),
    }),
    calls: new Map(
      (Array.isArray(calls) ? (calls as unknown[]) : [])
        .filter((each): each is [string, string] => Array.isArray(each))
        .map(([call, thought_signature]) => [call, ofGoogle({ thought_signature })]),
    ),
  };
}

/** Signatures that a client has kept in their own place count. */
export const withSignatures = (
  own: Extra | undefined,
  kept: Extra | undefined,
): Extra | undefined => joinedExtra(kept, own);

function signatureOf(extra: Extra | undefined): string | undefined {
  const signature = googleContent(extra)['thought_signature'];
  return typeof signature === 'string' ? signature : undefined;
}

const ofGoogle = (google: Fields): Extra => ({ extra_content: { google } });
