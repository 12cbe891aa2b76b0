/**
 * Answers of a language model's upstream, and requests of a caller, in OpenAI's and in Gemini's form; the
 * patterns by which an operator has texts redacted.
 */
import { SkeinError } from '@skein/api';
import type { GenerateEvent } from '../../../packages/generative/src/contract.ts';
import { createDecoder as createGemini } from '../../../packages/generative/src/providers/gemini/decode.ts';
import { failureOf as geminiFailure } from '../../../packages/generative/src/providers/gemini/failure.ts';
import { createDecoder as createOpenAi } from '../../../packages/generative/src/providers/openai/decode.ts';
import { failureOf as openAiFailure } from '../../../packages/generative/src/providers/openai/failure.ts';
import {
  GEMINI,
  OPENAI,
  type Wire,
} from '../../../packages/generative/src/faulty-upstream/wires.ts';
import { eventData } from '../../../packages/generative/src/wire/event-stream.ts';
import { asObject, parseJson, type Json } from '../../../packages/generative/src/wire/json.ts';
import { checkRequest } from '../../../packages/generative/src/check-request.ts';
import type { GenerateRequest } from '../../../packages/generative/src/contract.ts';
import { encodeRequest as encodeGemini } from '../../../packages/generative/src/providers/gemini/encode.ts';
import { encodeRequest as encodeOpenAi } from '../../../packages/generative/src/providers/openai/encode.ts';
import { compile, createScanner } from '../../../packages/generative/src/redaction/scanner.ts';
import { readJson } from '../../../packages/api/src/foreign-json.ts';
import { readGenerate } from '../../../packages/server/src/gateway/gemini/request.ts';
import {
  readChat,
  readCompletion,
} from '../../../packages/server/src/gateway/openai/chat-request.ts';
import { readResponse } from '../../../packages/server/src/gateway/openai/responses-request.ts';
import { reasoningSeals } from '../../../packages/server/src/gateway/openai/reasoning-seals.ts';
import type { Fields } from '../../../packages/server/src/gateway/language/fields.ts';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import type { Target } from '../engine/target.ts';

interface Decoder {
  decode(chunk: Json): GenerateEvent[];
  end(): void;
}

const FORMS = [
  { wire: OPENAI, create: createOpenAi, failureOf: openAiFailure },
  { wire: GEMINI, create: createGemini, failureOf: geminiFailure },
] as const;

/** The first byte chooses the form. */
export function openAnswerStreams(): Target {
  return {
    seeds: FORMS.map(({ wire }, form) =>
      Buffer.concat([Buffer.of(form), Buffer.from(answer(wire))]),
    ),
    structure: bytesInput([
      'data: ',
      '\n\n',
      '\r\n',
      '[DONE]',
      '{"error":',
      'null',
      '\ud800',
      '1e999',
      '"index":',
    ]),
    refuses: (error) => error instanceof SkeinError,
    async run(input) {
      const { create, failureOf } = FORMS[(input[0] ?? 0) % 2]!;
      const decoder: Decoder = create('p');
      let events = 0;
      reading: for await (const batch of eventData('p', pieces(input.subarray(1)), 1 << 16)) {
        for (const data of batch) {
          if (data === '[DONE]') break reading;
          const chunk = asObject(parseJson('p', data)) ?? {};
          if (chunk['error'] !== undefined)
            throw failureOf({ provider: 'p', model: 'm' }, 429, chunk, undefined);
          events += decoder.decode(chunk).length;
        }
      }
      decoder.end();
      if (events > input.length) throw new Error(`${events} events of ${input.length} bytes`);
    },
  };
}

function answer(wire: Wire): string {
  const events = [
    wire.opening(),
    wire.text('häuser'),
    wire.call('{"q":1}', true, false),
    wire.finish('tool_calls', 3),
    wire.quota('day'),
  ];
  return events.map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`).join('');
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 11) yield bytes.subarray(at, at + 11);
}

const SEALS = reasoningSeals({ key: Buffer.alloc(32), tenant: 't', hold: () => {} });
const READERS: Readonly<Record<string, (body: Fields) => GenerateRequest>> = {
  chat: (body) => readChat(body).request,
  completion: (body) => readCompletion(body).request,
  response: (body) => readResponse(body, [], SEALS).request,
  gemini: (body) => readGenerate('m', body, false),
};

/** `{face, body}`: a request as its face reads it, and as the upstreams would get it. */
export function openLanguageRequests(): Target {
  const schema = { type: 'object', properties: { a: { $ref: '#/$defs/b' } }, $defs: { b: {} } };
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
  const image = 'data:image/png;base64,AAAA';
  const chat = {
    model: 'm',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'image_url', image_url: { url: image } },
        ],
      },
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c', content: 'b' },
    ],
    tools: [{ type: 'function', function: { name: 'f', parameters: schema, strict: true } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
    response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
    stop: ['x'],
    logprobs: true,
    top_logprobs: 2,
    max_completion_tokens: 5,
  };
  const response = {
    model: 'm',
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'a' },
          { type: 'input_image', image_url: image },
        ],
      },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: 'b' },
    ],
    instructions: 'i',
    text: { format: { type: 'json_schema', name: 'a', schema } },
    reasoning: { effort: 'low' },
  };
  const gemini = {
    systemInstruction: { parts: [{ text: 's' }] },
    contents: [
      {
        role: 'user',
        parts: [{ text: 'a' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }],
      },
      { role: 'model', parts: [{ functionCall: { name: 'f', args: {} } }] },
      { role: 'user', parts: [{ functionResponse: { name: 'f', response: { b: 1 } } }] },
    ],
    tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: 'OBJECT' } }] }],
    toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] } },
    generationConfig: { responseSchema: { type: 'STRING' }, stopSequences: ['x'], topK: 3 },
  };
  const seeds = Object.entries({
    chat,
    completion: { model: 'm', prompt: ['p'], n: 2 },
    response,
    gemini,
  });
  return {
    seeds: seeds.map(([face, body]) => Buffer.from(JSON.stringify({ face, body }))),
    structure: jsonInput([
      ...Object.keys(READERS),
      '#/$defs/b',
      '#',
      image,
      'https://a',
      'required',
      '\ud800',
    ]),
    refuses: (error) => error instanceof SkeinError,
    run(input) {
      const { face, body } = Object(readJson(input)) as Record<string, unknown>;
      if (typeof face !== 'string' || !Object.hasOwn(READERS, face)) return;
      if (typeof body !== 'object' || body === null) return;
      const request = READERS[face]!(body as Fields);
      checkRequest(request);
      for (const encode of [encodeGemini, (given: GenerateRequest) => encodeOpenAi(given, true)]) {
        JSON.stringify(encode(request));
      }
    },
  };
}

/** `PATTERN\0TEXT`: what is replaced does not depend on the pieces in which the text comes. */
export function openRedactions(): Target {
  return {
    seeds: [
      '\\b\\d{3}-\\d{4}\\b\0call 555-1234 now',
      '(a|b)+c?[^x-z]\0abcay',
      'k\\w{2,40}\0kkkk kabc',
    ].map((text) => Buffer.from(text)),
    structure: bytesInput([
      '\0',
      '(',
      ')',
      '[',
      ']',
      '{2,9}',
      '{1,9999}',
      '*',
      '+',
      '|',
      '\\b',
      '\\S',
      '.',
      '[^',
    ]),
    refuses: (error) => error instanceof SkeinError,
    run(input) {
      const [pattern = '', text = ''] = Buffer.from(input).toString('latin1').split('\0');
      const rules = [{ pattern, ignoresCase: text.length % 2 === 0, replacement: '#' }];
      const program = compile(rules);
      const whole = createScanner(program);
      const expected = whole.push(text) + whole.end();
      const parted = createScanner(program);
      let found = '';
      for (let at = 0; at < text.length; at += 7) found += parted.push(text.slice(at, at + 7));
      if (found + parted.end() !== expected) throw new Error('the pieces change what is replaced');
    },
  };
}
