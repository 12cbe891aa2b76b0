/** The endpoints of OpenAI's API, and how each answers. */
import { SkeinError } from '@skein/api';
import type { LanguageModelView } from '@skein/generative';
import { type NodeExchange, sendText, toSkeinError } from '@skein/http';
import type { Instant } from '@skein/serving';
import { requireMethod, unknownRoute } from '../face.ts';
import { type ModelCall, serveCall } from '../language/call.ts';
import { collect } from '../language/collect.ts';
import { authorizationOf, geminiModel } from '../language/gemini-model.ts';
import { streamAnswer } from '../language/event-stream.ts';
import type { Fields } from '../language/fields.ts';
import { decodeSegment } from '../path-segment.ts';
import { authorizeReader } from '../rules.ts';
import { type AnswerHead, chatChunks, chatCompletion, type ChunkWriter } from './chat-answer.ts';
import { modelOf as modelIn, readChat, readCompletion, type TextRequest } from './chat-request.ts';
import { completionChunks, textCompletion } from './completion-answer.ts';
import { answerEmbeddings } from './embeddings.ts';
import { errorOf, pathOf, sendOpenAiError } from './errors.ts';
import { answerResponse } from './responses.ts';
import { serveStoredResponse } from './stored-responses.ts';
import type { OpenAiTransport } from './options.ts';

type Endpoint = (call: ModelCall, options: OpenAiTransport) => Promise<void>;

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/v1/chat/completions': (call, options) =>
    answerText(call, readChat, options, {
      idPrefix: 'chatcmpl-',
      whole: chatCompletion,
      chunks: chatChunks,
    }),
  '/v1/completions': (call, options) =>
    answerText(call, readCompletion, options, {
      idPrefix: 'cmpl-',
      whole: textCompletion,
      chunks: completionChunks,
    }),
  '/v1/embeddings': answerEmbeddings,
  '/v1/responses': answerResponse,
};

const STORED = '/v1/responses/';

/** Never rejects: errors are answered in OpenAI's shape. */
export async function serveOpenAi(
  exchange: NodeExchange,
  path: string,
  reachedAt: Instant,
  options: OpenAiTransport,
): Promise<void> {
  try {
    await route(exchange, path, reachedAt, options);
  } catch (error) {
    sendOpenAiError(exchange, toSkeinError(error, exchange.id, options.logger));
  }
}

async function route(
  exchange: NodeExchange,
  path: string,
  reachedAt: Instant,
  options: OpenAiTransport,
): Promise<void> {
  if (path === '/v1/models' || path.startsWith('/v1/models/')) {
    await answerModels(exchange, path, options);
    return;
  }
  if (path.startsWith(STORED)) {
    await serveStoredResponse(exchange, path.slice(STORED.length), options);
    return;
  }
  const endpoint = Object.hasOwn(ENDPOINTS, path) ? ENDPOINTS[path] : undefined;
  if (endpoint === undefined) throw unknownRoute(exchange);
  requireMethod(exchange, 'POST');
  const { authorization } = exchange.request.headers;
  await serveCall(exchange, reachedAt, authorization, options, (call) => endpoint(call, options));
}

async function answerModels(
  exchange: NodeExchange,
  path: string,
  { access, languageModels }: OpenAiTransport,
): Promise<void> {
  requireMethod(exchange, 'GET');
  const authorization = authorizationOf(exchange);
  const { tenant } = authorizeReader(access, authorization, exchange);
  const views = (await languageModels()).models(tenant);
  const models = views.map((view) => ({ ...modelOf(view), ...geminiModel(view) }));
  if (path === '/v1/models') {
    // Each client reads the list in its own form.
    const list = { object: 'list', data: views.map(modelOf), models: views.map(geminiModel) };
    sendText(exchange, 200, 'application/json', JSON.stringify(list));
    return;
  }
  const name = decodeSegment(path.slice('/v1/models/'.length));
  const model = models.find(({ id }) => id === name);
  if (model === undefined)
    throw new SkeinError('MODEL_UNKNOWN', `There is no model "${name.slice(0, 128)}".`);
  sendText(exchange, 200, 'application/json', JSON.stringify(model));
}

const modelOf = ({ name, createdAt, providers }: LanguageModelView) => ({
  id: name,
  object: 'model',
  created: Math.floor(Date.parse(createdAt) / 1000),
  owned_by: providers[0] ?? 'skein',
});

interface TextForm {
  readonly idPrefix: string;
  readonly whole: typeof chatCompletion;
  readonly chunks: (head: AnswerHead, includeUsage: boolean) => ChunkWriter;
}

async function answerText(
  call: ModelCall,
  read: (body: Fields) => TextRequest,
  { limits, logger }: OpenAiTransport,
  { idPrefix, whole, chunks }: TextForm,
): Promise<void> {
  const { exchange, body, gateway, caller } = call;
  call.requireModel(modelIn(body));
  const { request, includeUsage, stickyKey } = read(body);
  const generation = await gateway.generate(request, caller(stickyKey));
  const head = {
    id: idPrefix + exchange.id,
    created: Math.floor(Date.now() / 1000),
    model: request.model,
  };
  if (!request.stream) {
    const answer = await collect(generation);
    const text = JSON.stringify(whole(head, answer, generation.receipt()));
    const headers = Object.entries(generation.headers()).flat();
    sendText(exchange, 200, 'application/json', text, headers);
    return;
  }
  const { write, end } = chunks(head, includeUsage);
  const fail = (error: SkeinError): string =>
    `data: ${JSON.stringify(errorOf(error, pathOf(exchange)))}\n\n`;
  const unreadMs = limits.bodyTimeoutMs;
  await streamAnswer(call, generation, { write, end, fail }, { unreadMs, logger });
}
