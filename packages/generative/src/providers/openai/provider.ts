/**
 * An upstream that speaks OpenAI's chat completions and embeddings, at any address.
 *
 * It streams whether or not its caller does: only a stream shows a slow first token before the whole
 * answer is late. The type of the answer decides how it is read, because some upstreams answer a
 * request for a stream with one JSON document. What an upstream refuses of a model, its streams or
 * one of the two names of the limit of tokens, it is not asked for from then on. What another provider
 * has added to an answer, such as Gemini's signatures, is left out of a second try where it is refused.
 */
import { JSON_BOUNDS } from '@skein/api/foreign-json';
import type { SkeinError } from '@skein/api/errors';
import type {
  Embeddings,
  GenerateEvent,
  GenerateRequest,
  Provider,
  ProviderCall,
} from '../../contract.ts';
import { hidingOf } from '../../wire/credentials.ts';
import { eventsIn } from '../../wire/event-stream.ts';
import { openUpstream, type UpstreamOptions } from '../../wire/http-client.ts';
import type { UpstreamAnswer } from '../../wire/incoming.ts';
import {
  asCount,
  asTokens,
  asObject,
  asObjects,
  asText,
  compact,
  parsedOr,
  parseJson,
  type Json,
} from '../../wire/json.ts';
import { faultOf, quoted, unknownModel, upstreamError } from '../../wire/upstream-error.ts';
import { createDecoder } from './decode.ts';
import {
  type ContinuationForm,
  encodeEmbedRequest,
  encodeRequest,
  type TokenLimit,
} from './encode.ts';
import { failureOf, statusInside, waitOf } from './failure.ts';

export interface OpenAiOptions extends UpstreamOptions {
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Absent: the upstream cannot continue an answer. */
  readonly continuation?: ContinuationForm | undefined;
  /** Headers of one call, such as its deadline. */
  readonly headersOf?: ((call: ProviderCall) => Readonly<Record<string, string>>) | undefined;
}

/** Models of an upstream that a message names. */
const MAX_SHOWN = 8;

/** The name of the limit of tokens that an upstream asks for in the place of the one it got. */
function otherLimit(error: unknown, body: Json): TokenLimit | undefined {
  const [given, other] = ['max_tokens', 'max_completion_tokens'] as const;
  const param = faultOf(error)?.param;
  if (param !== given && param !== other) return undefined;
  const asked = param === given ? other : given;
  // Else it refuses the number, and may ignore the other name.
  const isNamed = (error as Error).message.includes(`'${asked}'`);
  return isNamed && body[param] !== undefined ? asked : undefined;
}

/** Fields that another provider has added to its own answer, in a conversation that continues here. */
const OF_OTHERS = ['extra_content', 'reasoning_content'] as const;

/** The field of the messages that a strict upstream refuses by its name, because it does not know it. */
function refusedIn(error: unknown, { messages }: Json): string | undefined {
  const { code, message } = error as SkeinError;
  if (faultOf(error) === undefined || code !== 'PROVIDER_REJECTED') return undefined;
  const sent = JSON.stringify(messages ?? '');
  return OF_OTHERS.find((field) => message.includes(field) && sent.includes(`"${field}":`));
}

/** Without fields of messages, their parts and their calls. */
function without(body: Json, fields: ReadonlySet<string>): Json {
  if (fields.size === 0 || !Array.isArray(body['messages'])) return body;
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    const own = asObject(value);
    if (own === undefined) return value;
    const { content, tool_calls } = own;
    const kept = Object.fromEntries(Object.entries(own).filter(([name]) => !fields.has(name)));
    return compact({ ...kept, content: strip(content), tool_calls: strip(tool_calls) });
  };
  return { ...body, messages: strip(body['messages']) };
}

export function openAiProvider(options: OpenAiOptions): Provider {
  const { name, apiKey, headersOf, continuation } = options;
  const upstream = openUpstream(options);
  const headers = {
    ...options.headers,
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };
  /** Models that the upstream does not stream. */
  const whole = new Set<string>();
  /** The name of the limit of tokens that it takes, by model, where it has refused the other one. */
  const limits = new Map<string, TokenLimit>();

  const hide = hidingOf(headers);

  async function post(path: string, body: Json, call: ProviderCall): Promise<UpstreamAnswer> {
    const { signal, hold } = call;
    const answer = await upstream.send({
      path,
      headers: headersOf === undefined ? headers : { ...headers, ...headersOf(call) },
      body: JSON.stringify(body),
      signal,
      hold,
    });
    if (answer.status === 200) return answer;
    const text = await answer.text();
    // A proxy before the upstream answers in HTML.
    const parsed = parsedOr(text, text);
    const asked = { provider: name, model: String(body['model']) };
    throw failureOf(asked, answer.status, hide(parsed), waitOf(answer));
  }

  async function open(request: GenerateRequest, call: ProviderCall): Promise<UpstreamAnswer> {
    const path = request.prompt === undefined ? '/chat/completions' : '/completions';
    const { model } = request;
    let stream = !whole.has(model);
    let limit = limits.get(model);
    let isRenamed = false;
    // Not remembered: a caller with a wrong value would take the field from all others.
    const refused = new Set<string>();
    for (;;) {
      const body = without(encodeRequest(request, stream, { continuation, limit }), refused);
      try {
        const answer = await post(path, body, call);
        if (!stream) whole.add(model);
        if (limit !== undefined) limits.set(model, limit);
        return answer;
      } catch (error) {
        const other = isRenamed ? undefined : otherLimit(error, body);
        const field = refusedIn(error, body);
        if (field !== undefined && !refused.has(field)) refused.add(field);
        else if (stream && faultOf(error)?.param?.startsWith('stream') === true) stream = false;
        else if (other === undefined) throw error;
        else {
          limit = other;
          isRenamed = true;
        }
      }
    }
  }

  function chunkOf(data: string, model: string): Json {
    const chunk = asObject(parseJson(name, data)) ?? {};
    if (chunk['error'] === undefined || chunk['error'] === null) return chunk;
    throw failureOf({ provider: name, model }, statusInside(chunk), hide(chunk), undefined);
  }

  async function* generate(
    request: GenerateRequest,
    call: ProviderCall,
  ): AsyncGenerator<GenerateEvent> {
    const answer = await open(request, call);
    const decoder = createDecoder(name);
    if (answer.contentType === 'application/json') {
      for (const event of decoder.decode(chunkOf(await answer.text(), request.model))) yield event;
      return decoder.end();
    }
    for await (const batch of eventsIn(name, answer)) {
      for (const data of batch) {
        if (data === '[DONE]') {
          answer.finish();
          return decoder.end();
        }
        for (const event of decoder.decode(chunkOf(data, request.model))) yield event;
      }
    }
    decoder.end();
  }

  return {
    name,
    continues: continuation !== undefined,
    generate,
    async embed(request, call) {
      const answer = await post('/embeddings', encodeEmbedRequest(request), call);
      return embeddingsOf(name, parseJson(name, await answer.text()), request.inputs.length);
    },
    async check(model, signal) {
      const answer = await upstream.send({ path: '/models', headers, signal });
      const body = parsedOr(await answer.text(), undefined, JSON_BOUNDS.answer);
      const asked = { provider: name, model };
      const { status } = answer;
      if (status === 401 || status === 403) throw failureOf(asked, status, hide(body), undefined);
      const listed = status === 200 ? asObjects(asObject(body)?.['data']) : [];
      const ids = listed.flatMap(({ id }) => asText(id) ?? []);
      // One without a list may have the model all the same.
      if (ids.length === 0 || ids.includes(model)) return;
      const shown = ids.slice(0, MAX_SHOWN).map(quoted).join(', ');
      const more = ids.length > MAX_SHOWN ? ` and ${ids.length - MAX_SHOWN} more` : '';
      throw unknownModel(asked, { message: `it lists ${shown}${more}.` });
    },
    close: async () => upstream.close(),
  };
}

/** Vectors in base64 or as numbers, in the order of their indices. */
function embeddingsOf(provider: string, body: unknown, count: number): Embeddings {
  const { data, usage } = asObject(body) ?? {};
  const vectors = Array.from<Float32Array | undefined>({ length: count });
  asObjects(data).forEach((each, position) => {
    const { embedding } = each;
    const index = asCount(each['index']) ?? position;
    if (index >= count) return;
    if (typeof embedding === 'string') {
      const bytes = Buffer.from(embedding, 'base64');
      vectors[index] = new Float32Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 2);
    } else if (Array.isArray(embedding) && embedding.every((value) => typeof value === 'number')) {
      vectors[index] = Float32Array.from(embedding);
    }
  });
  if (vectors.includes(undefined)) {
    throw upstreamError('PROVIDER_CUT', {
      provider,
      message: 'it sent fewer vectors than inputs.',
    });
  }
  const inputTokens = asTokens(asObject(usage)?.['prompt_tokens']) ?? 0;
  return { vectors: vectors as Float32Array[], usage: { inputTokens, outputTokens: 0 } };
}
