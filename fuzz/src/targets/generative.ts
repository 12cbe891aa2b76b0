/** What an upstream of a generative model may answer: the bytes of its stream, in OpenAI's and in Gemini's form. */
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
import { bytesInput } from '../engine/bytes.ts';
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
      for await (const data of eventData('p', pieces(input.subarray(1)), 1 << 16)) {
        if (data === '[DONE]') break;
        const chunk = asObject(parseJson('p', data)) ?? {};
        if (chunk['error'] !== undefined) throw failureOf('p', 429, chunk, undefined);
        events += decoder.decode(chunk).length;
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
