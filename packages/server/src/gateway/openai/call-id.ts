/**
 * Ids of calls in chat completions, with the signature that Gemini wants back. It is in the call's
 * `extra_content` too, but OpenAI's own runner of tools and others send back only the id, the name and
 * the arguments.
 */
import { type Extra, googleContent, MAX_NAME } from '@skein/generative';
import { textAt } from '../language/fields.ts';
import { joinedExtra } from '../language/joined-extra.ts';

const MARK = '--signed-';
/** Characters of an id with its signature. A longer signature is in `extra_content` alone. */
const MAX_ID = 65_536;

/** Signatures are bytes, which Google writes in base64, and an id in its form for addresses. */
export function signedId(id: string, extra: Extra | undefined): string {
  const signature = googleContent(extra)['thought_signature'];
  if (typeof signature !== 'string') return id;
  const bytes = Buffer.from(signature, 'base64');
  const mark = MARK + bytes.toString('base64url');
  // Another node has written it already.
  const signed = id.endsWith(mark) ? id : id + mark;
  return bytes.toString('base64') === signature && signed.length <= MAX_ID ? signed : id;
}

/** @param own the fields of the call that the client has kept next to its id; they count. @throws FieldError. */
export function readId(value: unknown, param: string, own?: Extra) {
  const text = textAt(value, param, MAX_ID);
  const at = text.lastIndexOf(MARK);
  if (at === -1) return { id: textAt(text, param, MAX_NAME), extra: own };
  const signature = Buffer.from(text.slice(at + MARK.length), 'base64url').toString('base64');
  const kept = { extra_content: { google: { thought_signature: signature } } };
  return { id: textAt(text.slice(0, at), param, MAX_NAME), extra: joinedExtra(kept, own) };
}
