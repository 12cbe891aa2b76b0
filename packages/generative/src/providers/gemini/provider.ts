/**
 * Google Gemini: with an API key at generativelanguage.googleapis.com, or on Vertex AI with the
 * credentials of the machine. Its streams are read as server-sent events; where a proxy drops
 * `alt=sse`, as the JSON array that Gemini sends without it.
 */
import type { ProviderCall, GenerateEvent, Provider } from '../../contract.ts';
import { type Hide, hidingOf } from '../../wire/credentials.ts';
import { eventsIn } from '../../wire/event-stream.ts';
import { openUpstream, type UpstreamOptions } from '../../wire/http-client.ts';
import type { UpstreamAnswer } from '../../wire/incoming.ts';
import { asCount, asObject, asObjects, parsedOr, parseJson, type Json } from '../../wire/json.ts';
import { upstreamError } from '../../wire/upstream-error.ts';
import { callsOf } from '../one-call.ts';
import { waitOf } from '../openai/failure.ts';
import { refuseUnkept, type Support } from '../unkept-fields.ts';
import { createDecoder, type GeminiDecoder } from './decode.ts';
import { embed } from './embed.ts';
import { encodeRequest } from './encode.ts';
import { failureOf } from './failure.ts';

export interface GeminiOptions extends UpstreamOptions {
  /** Before `/MODEL:generateContent`, such as `/v1beta/models`. */
  readonly modelsPath: string;
  /** Asked before each call: tokens of Google Cloud last an hour. */
  readonly credentials: () => Promise<Readonly<Record<string, string>>>;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether its models continue their own turn if that comes last. Default: not. */
  readonly continues?: boolean | undefined;
  /** Counts tokens and embeds in the forms of Vertex AI. Default: in the forms of the Gemini API. */
  readonly onVertex?: boolean | undefined;
}

const SUPPORT: Support = { lacks: ['minP', 'repetitionPenalty'], google: true };

interface Posted {
  readonly answer: UpstreamAnswer;
  /** Hides the credentials of its request. */
  readonly hide: Hide;
}

export function geminiProvider(options: GeminiOptions): Provider {
  const { name, modelsPath, credentials, onVertex = false } = options;
  const upstream = openUpstream(options);

  async function send(
    path: string,
    model: string,
    { signal, hold }: Pick<ProviderCall, 'signal' | 'hold'>,
    body?: Json,
  ): Promise<Posted> {
    const headers = { ...options.headers, ...(await credentials()) };
    const hide: Hide = (value) => hidingOf(headers)(value);
    const answer = await upstream.send({
      path: `${modelsPath}/${encodeURIComponent(model)}${path}`,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      hold,
    });
    if (answer.status === 200) return { answer, hide };
    const text = await answer.text();
    const parsed = parsedOr(text, { error: { message: text } });
    throw failureOf({ provider: name, model }, answer.status, hide(parsed), waitOf(answer));
  }

  function decode(decoder: GeminiDecoder, chunk: Json, model: string, hide: Hide): GenerateEvent[] {
    if (chunk['error'] === undefined || chunk['error'] === null) return decoder.decode(chunk);
    const status = asCount(asObject(chunk['error'])?.['code']) ?? 500;
    throw failureOf({ provider: name, model }, status, hide(chunk), undefined);
  }

  async function* events({ answer, hide }: Posted, model: string): AsyncGenerator<GenerateEvent> {
    const decoder = createDecoder(name);
    if (answer.contentType === 'application/json') {
      const body = parseJson(name, await answer.text());
      const chunks = Array.isArray(body) ? asObjects(body) : [asObject(body) ?? {}];
      for (const chunk of chunks) yield* decode(decoder, chunk, model, hide);
      return decoder.end();
    }
    for await (const batch of eventsIn(name, answer)) {
      for (const data of batch) {
        yield* decode(decoder, asObject(parseJson(name, data)) ?? {}, model, hide);
      }
    }
    decoder.end();
  }

  return {
    name,
    continues: options.continues,
    async *generate(request, call) {
      refuseUnkept(name, request, SUPPORT);
      const { model } = request;
      const body = encodeRequest(request);
      const posted = await send(':streamGenerateContent?alt=sse', model, call, body);
      yield* callsOf(events(posted, model), request);
    },
    embed: (request, call) =>
      embed(name, request, onVertex, async (method, body) => {
        const { answer } = await send(`:${method}`, request.model, call, body);
        return asObject(parseJson(name, await answer.text())) ?? {};
      }),
    async countTokens(request, call) {
      const { model } = request;
      const asked = encodeRequest(request);
      // Else the Gemini API counts the contents alone.
      const body = onVertex
        ? asked
        : { generateContentRequest: { ...asked, model: `models/${model}` } };
      const { answer } = await send(':countTokens', model, call, body);
      const tokens = asCount(asObject(parseJson(name, await answer.text()))?.['totalTokens']);
      if (tokens !== undefined) return tokens;
      throw upstreamError('PROVIDER_FAILED', {
        provider: name,
        message: 'it answered without a count of tokens.',
      });
    },
    async check(model, signal) {
      // Vertex AI shows its models at another path.
      if (!onVertex) await (await send('', model, { signal })).answer.text();
    },
    close: async () => upstream.close(),
  };
}
