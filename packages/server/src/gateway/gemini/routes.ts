/** The methods of Gemini's API, and how each answers. */
import { SkeinError } from '@skein/api';
import { camelCased, FieldError, MAX_INPUTS, usdText } from '@skein/generative';
import { type NodeExchange, sendText, toSkeinError } from '@skein/http';
import type { Instant } from '@skein/serving';
import { requireMethod, unknownRoute } from '../face.ts';
import { type LanguageTransport, type ModelCall, serveCall } from '../language/call.ts';
import { streamAnswer, type StreamWriter } from '../language/event-stream.ts';
import { authorizationOf, geminiModel } from '../language/gemini-model.ts';
import { type Fields, fieldsIn, listAt, objectAt, others, textAt } from '../language/fields.ts';
import { decodeSegment } from '../path-segment.ts';
import { authorizeReader } from '../rules.ts';
import { answerPieces, generateAnswer } from './answer.ts';
import { errorOf, sendGeminiError } from './errors.ts';
import { readGenerate } from './request.ts';

const EMBED_FIELDS = new Set(['model', 'content', 'outputDimensionality']);

type Method = (call: ModelCall, model: string, transport: LanguageTransport) => Promise<void>;

const METHODS: Readonly<Record<string, Method>> = {
  generateContent,
  streamGenerateContent,
  countTokens,
  embedContent: (call, model) =>
    embed(call, model, [call.body], ([values]) => ({ embedding: { values } })),
  batchEmbedContents: (call, model) =>
    embed(
      call,
      model,
      listAt(call.body['requests'], 'requests', MAX_INPUTS).map((each, index) =>
        objectAt(each, `requests[${index}]`),
      ),
      (vectors) => ({ embeddings: vectors.map((values) => ({ values })) }),
    ),
};

/** Never rejects: errors are answered in Gemini's shape. */
export async function serveGemini(
  exchange: NodeExchange,
  path: string,
  reachedAt: Instant,
  transport: LanguageTransport,
): Promise<void> {
  try {
    await route(exchange, path, reachedAt, transport);
  } catch (error) {
    sendGeminiError(exchange, toSkeinError(error, exchange.id, transport.logger));
  }
}

async function route(
  exchange: NodeExchange,
  path: string,
  reachedAt: Instant,
  transport: LanguageTransport,
): Promise<void> {
  const authorization = authorizationOf(exchange);
  const [, rest = ''] = /^\/v1(?:beta)?\/models(?:\/|$)(.*)$/.exec(path) ?? [];
  const [name = '', method] = rest.split(':');
  if (method === undefined && /^\/v1beta\/models(\/|$)/.test(path)) {
    requireMethod(exchange, 'GET');
    await answerModels(exchange, authorization, decodeSegment(name), transport);
    return;
  }
  const serve =
    method !== undefined && Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (serve === undefined) throw unknownRoute(exchange);
  requireMethod(exchange, 'POST');
  const model = decodeSegment(name);
  await serveCall(exchange, reachedAt, authorization, transport, (call) =>
    serve(call, model, transport),
  );
}

async function answerModels(
  exchange: NodeExchange,
  authorization: string | undefined,
  name: string,
  { access, languageModels }: LanguageTransport,
): Promise<void> {
  const { tenant } = authorizeReader(access, authorization, exchange);
  const models = (await languageModels()).models(tenant).map(geminiModel);
  const found = name === '' ? { models } : models.find(({ displayName }) => displayName === name);
  if (found === undefined)
    throw new SkeinError('MODEL_UNKNOWN', `There is no model "${name.slice(0, 128)}".`);
  sendText(exchange, 200, 'application/json', JSON.stringify(found));
}

async function generateContent(call: ModelCall, model: string): Promise<void> {
  const { exchange, body, gateway, caller } = call;
  call.requireModel(model);
  const generation = await gateway.generate(readGenerate(model, body, false), caller(undefined));
  const whole = await generateAnswer(headOf(exchange, model), generation);
  const headers = Object.entries(generation.headers()).flat();
  sendText(exchange, 200, 'application/json', JSON.stringify(whole), headers);
}

async function streamGenerateContent(
  call: ModelCall,
  model: string,
  { limits, logger }: LanguageTransport,
): Promise<void> {
  const { exchange, body, gateway, caller } = call;
  call.requireModel(model);
  const generation = await gateway.generate(readGenerate(model, body, true), caller(undefined));
  const { contentType, event, end } = framingOf(exchange);
  const pieces = answerPieces(headOf(exchange, model));
  const writer: StreamWriter = {
    write(given) {
      const piece = pieces.pieceOf(given);
      return piece === undefined ? '' : event(piece);
    },
    end: (receipt) => event(pieces.last(receipt)) + end,
    fail: (error) => event(errorOf(error)) + end,
  };
  const unreadMs = limits.bodyTimeoutMs;
  await streamAnswer(call, generation, writer, { unreadMs, logger, contentType });
}

/** The body is the contents, or a whole request to `generateContent`. */
async function countTokens(call: ModelCall, model: string) {
  const { exchange, body, gateway, caller } = call;
  call.requireModel(model);
  const asked = fieldsIn(body).object('generateContentRequest') ?? body;
  const request = readGenerate(model, asked, false);
  const totalTokens = await gateway.countTokens(request, caller(undefined));
  sendText(exchange, 200, 'application/json', JSON.stringify({ totalTokens }));
}

/** With `alt=sse` the answer is events, otherwise one JSON list that grows. */
function framingOf({ request }: NodeExchange) {
  const query = new URLSearchParams(request.url?.split('?')[1] ?? '');
  if (query.get('alt') === 'sse') {
    const event = (piece: object): string => `data: ${JSON.stringify(piece)}\n\n`;
    return { contentType: 'text/event-stream; charset=utf-8', event, end: '' };
  }
  let before = '[';
  const event = (piece: object): string => {
    const text = before + JSON.stringify(piece);
    before = ',\n';
    return text;
  };
  return { contentType: 'application/json', event, end: ']' };
}

const headOf = ({ id }: NodeExchange, model: string) => ({ responseId: id, modelVersion: model });

async function embed(
  { exchange, gateway, caller }: ModelCall,
  model: string,
  given: readonly Fields[],
  answerOf: (vectors: readonly number[][]) => object,
): Promise<void> {
  const requests = given.map(camelCased);
  const inputs = requests.map((request, index) =>
    textOf(request['content'], `requests[${index}].content`),
  );
  const dimensions = fieldsIn(requests[0] ?? {}).whole('outputDimensionality', 1, 100_000);
  const [google, ...more] = requests.map((request) => others(request, EMBED_FIELDS));
  if (more.some((each) => JSON.stringify(each) !== JSON.stringify(google))) {
    throw new FieldError('requests', 'The contents of one request are embedded in the same way.');
  }
  const extra = google === undefined ? undefined : { extra_body: { google } };
  const { vectors, usage, receipt } = await gateway.embed(
    { model, inputs, dimensions, extra },
    caller(undefined),
  );
  const { inputTokens: tokens } = usage;
  const answer = {
    ...answerOf(vectors.map((vector) => [...vector])),
    usageMetadata: { promptTokenCount: tokens, totalTokenCount: tokens },
  };
  const headers = ['skein-cost-usd', usdText(receipt.costUsd)];
  sendText(exchange, 200, 'application/json', JSON.stringify(answer), headers);
}

function textOf(value: unknown, param: string): string {
  if (typeof value === 'string') return textAt(value, param);
  const parts = listAt(objectAt(value, param)['parts'], `${param}.parts`, 1024);
  return parts
    .map((part, index) =>
      textAt(objectAt(part, `${param}.parts[${index}]`)['text'], `${param}.parts[${index}].text`),
    )
    .join('');
}
