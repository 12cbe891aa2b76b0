/**
 * `/v1/embeddings`. Clients ask for base64 by themselves: a third of the bytes of JSON numbers, and
 * exact. A deployed text encoder (one string per row in, one vector per row out) is an embeddings
 * model too, unless a language model has its name.
 */
import { FieldError, MAX_INPUTS, usdText } from '@skein/generative';
import { sendText } from '@skein/http';
import type { ModelCall } from '../language/call.ts';
import { fieldsIn, listAt, others, textAt, wrong } from '../language/fields.ts';
import { modelOf } from './chat-request.ts';

const FIELDS = new Set(['model', 'input', 'encoding_format', 'dimensions', 'user']);

export async function answerEmbeddings({
  body,
  gateway,
  exchange,
  caller,
}: ModelCall): Promise<void> {
  const given = fieldsIn(body);
  const model = modelOf(body);
  const inputs = inputsAt(body['input'], 'input');
  const encoding = given.oneOf('encoding_format', ['float', 'base64']) ?? 'float';
  const dimensions = given.whole('dimensions', 1, 100_000);
  const { vectors, usage, receipt } = await gateway.embed(
    { model, inputs, dimensions, extra: others(body, FIELDS) },
    caller(undefined),
  );
  const answer = {
    object: 'list',
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: encoding === 'base64' ? base64(vector) : [...vector],
    })),
    model,
    usage: {
      prompt_tokens: usage.inputTokens,
      total_tokens: usage.inputTokens,
      cost: receipt.costUsd,
    },
  };
  const headers = ['skein-cost-usd', usdText(receipt.costUsd)];
  sendText(exchange, 200, 'application/json', JSON.stringify(answer), headers);
}

export function inputsAt(value: unknown, param: string): string[] {
  const list = typeof value === 'string' ? [value] : listAt(value, param, MAX_INPUTS);
  if (list.length === 0) throw wrong(param, 'a string or a list of strings', value);
  return list.map((text, index) => {
    if (typeof text === 'string') return textAt(text, `${param}[${index}]`);
    const at = `${param}[${index}]`;
    const message = `"${at}" must be text: the tokens of another tokenizer mean nothing here.`;
    throw new FieldError(at, message);
  });
}

/** Little-endian, as every machine that runs Node has it. */
const base64 = (vector: Float32Array): string =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
