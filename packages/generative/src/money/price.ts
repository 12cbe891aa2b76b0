/** Costs in nano-dollars: whole numbers, so that sums are exact. A price of $0.15 for a million tokens is 150 for one. */
import type { TokenPrice } from '@skein/api';
import type { EmbedRequest, GenerateRequest, Usage } from '../contract.ts';
import { imageTokens } from './image.ts';

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

/** US dollars to the nano-dollar, as every header that names a cost has them. */
export const usdText = (usd: number): string => usd.toFixed(9);

/** Tokens of a prompt without a limit from the operator: the largest published context. */
const LARGEST_CONTEXT = 2 ** 21;
/** Marks around each message and tool in chat templates. */
const FRAME_TOKENS = 16;
/** Text that templates add, such as the date, and instructions to call tools. */
const TEMPLATE_TOKENS = { always: 64, withTools: 512 } as const;
/** English text has some 4 bytes per token, code fewer. */
export const BYTES_PER_TOKEN = 3.6;
/** `1e20` is written as 100000000000000000000 by an encoder that reads the JSON of a call. */
const WRITTEN_OUT = 6;

/**
 * Tokens of a prompt, before a tokenizer has seen it.
 *
 * @param contextTokens of the model, as far as it is known.
 * @returns `most`: a token has at least one byte of what is sent, in every tokenizer that falls back
 *   to bytes. A part without a meaningful size, such as a file or an image by its address, may fill the
 *   context. `expected`: of the text and the images, `images`: of these alone.
 */
export function promptTokens(
  request: GenerateRequest,
  contextTokens = LARGEST_CONTEXT,
): { most: number; expected: number; images: number } {
  const { prompt = '', messages, tools = [], toolChoice, format, extra, continuation } = request;
  /** Bytes of what the model certainly reads, and of what it may read. */
  let text = Buffer.byteLength(prompt) + Buffer.byteLength(continuation?.text ?? '');
  let more = bytesOf(extra) + (typeof toolChoice === 'object' ? bytesOf(toolChoice) : 0);
  let imagesMost = 0;
  let imagesExpected = 0;
  let isUnbounded = false;
  for (const message of messages) {
    const { content, toolCalls = [], reasoning = '', name = '', toolCallId = '' } = message;
    text += Buffer.byteLength(reasoning);
    more += Buffer.byteLength(name + toolCallId) + bytesOf(message.extra);
    for (const part of content) {
      if (part.type === 'text') {
        const size = Buffer.byteLength(part.text);
        text += size;
        more += bytesOf(part.extra) + (message.role === 'tool' ? spreadOf(part.text, size) : 0);
      } else if (part.type === 'image') {
        const { most, expected } = imageTokens(part.url);
        imagesExpected += expected;
        if (most === undefined) isUnbounded = true;
        else imagesMost += most;
        more += bytesOf(part.extra);
      } else {
        isUnbounded = true;
        more += bytesOf(part.value);
      }
    }
    for (const call of toolCalls) {
      const size = Buffer.byteLength(call.name + call.arguments);
      text += size;
      more += Buffer.byteLength(call.id) + bytesOf(call.extra) + spreadOf(call.arguments, size);
    }
  }
  for (const { name, description = '', parameters = {}, extra: rest } of tools) {
    text += Buffer.byteLength(name + description) + bytesOf(parameters);
    more += bytesOf(rest);
  }
  if (format?.type === 'schema') more += Buffer.byteLength(format.name) + bytesOf(format.schema);
  const turns = messages.length + (request.prompt === undefined ? 0 : 1);
  const frames = FRAME_TOKENS * (turns + tools.length);
  const template = TEMPLATE_TOKENS.always + (tools.length === 0 ? 0 : TEMPLATE_TOKENS.withTools);
  return {
    most: text + more + frames + template + imagesMost + (isUnbounded ? contextTokens : 0),
    expected: Math.ceil(text / BYTES_PER_TOKEN) + frames + imagesExpected,
    images: imagesExpected,
  };
}

/** Tokens of a call for embeddings. */
export function inputTokens({ inputs, extra }: EmbedRequest): { most: number; expected: number } {
  const bytes = inputs.reduce((sum, each) => sum + Buffer.byteLength(each), 0);
  // Fields such as the kind of a task may become words before each input.
  const each = FRAME_TOKENS + bytesOf(extra);
  return { most: bytes + each * inputs.length, expected: Math.ceil(bytes / BYTES_PER_TOKEN) };
}

const bytesOf = (value: object | undefined): number =>
  value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));

/** How many bytes longer a JSON text may become when it is read and written. */
const spreadOf = (json: string, size: number): number =>
  /(^|[\s,:[])-?\d[\d.]*[eE][+-]?\d/.test(json) ? (WRITTEN_OUT - 1) * size : 0;
