/** Costs in nano-dollars: whole numbers, so that sums are exact. A price of $0.15 for a million tokens is 150 for one. */
import type { TokenPrice } from '@skein/api';
import type { GenerateRequest, Usage } from '../contract.ts';

export const NANO_DOLLARS = 1e9;
/** From dollars for a million tokens to nano-dollars for one. */
const NANO_PER_TOKEN = NANO_DOLLARS / 1e6;

/** Rounded up. */
export function costOf(price: TokenPrice | undefined, usage: Usage): number {
  if (price === undefined) return 0;
  const cached = Math.min(usage.inputTokens, usage.cachedInputTokens ?? 0);
  const exact =
    (usage.inputTokens - cached) * price.input +
    cached * (price.cachedInput ?? price.input) +
    usage.outputTokens * price.output;
  // Without the rounding, 0.1 + 0.2 costs a nano-dollar more than 0.3.
  return Math.ceil(Number((exact * NANO_PER_TOKEN).toFixed(3)));
}

/** Tokens of an image at most: the largest of the published tables (16 tiles of 258, Gemini). */
const IMAGE_TOKENS = 4128;
/** Marks around each message and tool in chat templates. */
const FRAME_TOKENS = 16;
/** English text has some 4 bytes per token, code fewer. */
const BYTES_PER_TOKEN = 3.6;

/**
 * Tokens of a prompt, before a tokenizer has seen it.
 *
 * @returns `most`: a byte is at most one token in a tokenizer that falls back to bytes; `expected`.
 */
export function promptTokens(request: GenerateRequest): { most: number; expected: number } {
  let bytes = Buffer.byteLength(request.prompt ?? '');
  let fixed = 0;
  for (const { content, toolCalls = [], reasoning = '' } of request.messages) {
    fixed += FRAME_TOKENS;
    bytes += Buffer.byteLength(reasoning);
    for (const part of content) {
      if (part.type === 'text') bytes += Buffer.byteLength(part.text);
      else fixed += IMAGE_TOKENS;
    }
    for (const { name, arguments: text } of toolCalls) bytes += Buffer.byteLength(name + text);
  }
  for (const { name, description = '', parameters } of request.tools ?? []) {
    fixed += FRAME_TOKENS;
    bytes += Buffer.byteLength(name + description + JSON.stringify(parameters ?? {}));
  }
  return { most: bytes + fixed, expected: Math.ceil(bytes / BYTES_PER_TOKEN) + fixed };
}
