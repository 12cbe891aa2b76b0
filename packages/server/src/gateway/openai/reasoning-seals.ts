/**
 * Seals what a client keeps for this node, and opens what it sends back: `skein:` and, as base64url, a
 * MAC and the text. The key is in the state, so that the members of a fleet and later processes open
 * each other's; the tenant is under the MAC too.
 *
 * A content with another MAC is void, and is not parsed. The contents of one request are bounded
 * together before their MAC is computed, because a client chooses their number.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { FieldError } from '@skein/generative';

export interface ReasoningSeals {
  /** @returns undefined for a text that is too long, or without a key: the store of the fleet is away. */
  seal(text: string): string | undefined;
  /**
   * The text; undefined for a content that this node, its fleet or this tenant did not seal.
   * @throws FieldError, SkeinError BODIES_TOO_LARGE.
   */
  open(content: unknown, param: string): string | undefined;
}

/** Distinguishes this node's content from other servers' content. */
const MARK = 'skein:';
const MAC_BYTES = 32;
/** Characters of one content: 128 calls with signatures of a kibibyte, three times. */
const MAX_CONTENT = 512 * 1024;
/** Characters of all contents of a request. */
const MAX_CONTENTS = 4 * 2 ** 20;

export interface SealsOptions {
  /** Undefined: nothing is sealed, and everything is void. */
  readonly key: Buffer | undefined;
  readonly tenant: string;
  /** Takes memory until the request ends. @throws SkeinError. */
  readonly hold: (bytes: number) => void;
}

/** The seals of one request. */
export function reasoningSeals({ key, tenant, hold }: SealsOptions): ReasoningSeals {
  let characters = 0;
  const macOf = (text: Buffer): Buffer =>
    createHmac('sha256', key!)
      .update(`${Buffer.byteLength(tenant)}:${tenant}`)
      .update(text)
      .digest();
  return {
    seal(given) {
      if (key === undefined) return undefined;
      const text = Buffer.from(given);
      const content = MARK + Buffer.concat([macOf(text), text]).toString('base64url');
      return content.length > MAX_CONTENT ? undefined : content;
    },
    open(content, param) {
      if (typeof content !== 'string' || !content.startsWith(MARK)) return undefined;
      if (key === undefined || content.length > MAX_CONTENT) return undefined;
      characters += content.length;
      if (characters > MAX_CONTENTS) {
        const message = `The "encrypted_content" of the items has more than ${MAX_CONTENTS} characters.`;
        throw new FieldError(param, message);
      }
      const bytes = Buffer.from(content.slice(MARK.length), 'base64url');
      if (bytes.length < MAC_BYTES) return undefined;
      const text = bytes.subarray(MAC_BYTES);
      if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), macOf(text))) return undefined;
      hold(content.length);
      return text.toString();
    },
  };
}
