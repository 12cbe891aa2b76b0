/** A gateway that answers with what a test wrote down, and the two faces over it. */
import { SkeinError } from '@skein/api';
import type {
  Caller,
  EmbedRequest,
  Gateway,
  GenerateEvent,
  GenerateRequest,
  LanguageModelView,
  Receipt,
} from '@skein/generative';
import { onTestFinished } from 'vitest';
import { deployedModel, fakeInference } from '../../../testing/fake-inference.ts';
import { geminiFace } from '../../gemini/face.ts';
import { createHttpGateway, type HttpGatewayOptions } from '../../http/gateway.ts';
import { openAiFace } from '../../openai/face.ts';
import { fakePlane } from '../../testing/fake-plane.ts';

type Script = (request: GenerateRequest, caller: Caller) => AsyncIterable<GenerateEvent>;

export const USAGE = { inputTokens: 5, outputTokens: 2, cachedInputTokens: 3 };

/** An answer in two pieces, as most tests need one. */
export async function* sayHello(): AsyncIterable<GenerateEvent> {
  yield { type: 'start', model: 'upstream-name' };
  yield { type: 'text', text: 'Hel' };
  yield { type: 'text', text: 'lo' };
  yield { type: 'finish', reason: 'stop' };
  yield { type: 'usage', usage: USAGE };
}

export const events = (...list: readonly GenerateEvent[]): Script =>
  async function* () {
    yield* list;
  };

export interface ScriptedGateway extends Gateway {
  readonly requests: GenerateRequest[];
  readonly embeds: EmbedRequest[];
  readonly callers: Caller[];
  /** Answers of the model `chat`; the first event commits. */
  script: Script;
  /** How many answers have been given up by their reader. */
  cancelled: number;
}

export function scriptedGateway(): ScriptedGateway {
  const models: LanguageModelView[] = [
    {
      name: 'chat',
      providers: ['scripted'],
      kinds: ['generate', 'embed'],
      contextTokens: 1000,
      createdAt: '2026-01-01T00:00:00.000Z',
    },
  ];
  const known = (model: string): void => {
    if (model === 'chat') return;
    throw new SkeinError('MODEL_UNKNOWN', `No language model is called "${model}".`);
  };
  const receipt: Receipt = {
    provider: 'scripted',
    model: 'chat',
    usage: USAGE,
    costUsd: 0.0025,
    answerUsd: 0.0025,
    cache: 'miss',
    attempts: 1,
    ttftMs: 1,
  };
  const gateway: ScriptedGateway = {
    requests: [],
    embeds: [],
    callers: [],
    script: sayHello,
    cancelled: 0,
    models: () => models,
    requireModel: known,
    standing: () => [],
    check: async () => [],
    async generate(request, caller) {
      gateway.requests.push(request);
      gateway.callers.push(caller);
      known(request.model);
      const source = gateway.script(request, caller)[Symbol.asyncIterator]();
      const first = await source.next();
      let ended = false;
      async function* rest(): AsyncGenerator<GenerateEvent> {
        try {
          if (first.done !== true) yield first.value;
          for (;;) {
            const next = await source.next();
            if (next.done === true) break;
            yield next.value;
          }
          ended = true;
        } finally {
          if (!ended) gateway.cancelled += 1;
          await source.return?.();
        }
      }
      return {
        provider: 'scripted',
        events: rest(),
        headers: () => ({
          'skein-provider': 'scripted',
          ...(ended ? { 'skein-cost-usd': '0.0025' } : { 'skein-cost-limit-usd': '0.01' }),
        }),
        receipt: () => (ended ? receipt : undefined),
      };
    },
    async embed(request) {
      const { model, inputs } = request;
      gateway.embeds.push(request);
      known(model);
      return {
        vectors: inputs.map((text) => Float32Array.of(text.length, 0.5, -0.25)),
        usage: USAGE,
        receipt,
      };
    },
    async countTokens(request, caller) {
      gateway.requests.push(request);
      gateway.callers.push(caller);
      known(request.model);
      return 7;
    },
    view: async () => ({ models: [], budgets: [] }),
    async close() {},
  };
  return gateway;
}

export async function startLanguageFaces(overrides: Partial<HttpGatewayOptions> = {}) {
  const gateway = scriptedGateway();
  const encoder = deployedModel('encoder', {
    signature: {
      inputs: [{ name: 'text', type: 'string', shape: ['batch'] }],
      outputs: [{ name: 'vector', type: 'float32', shape: ['batch', 2] }],
    },
  });
  const inference = fakeInference(encoder, deployedModel('echo'));
  const plane = fakePlane(inference);
  const options = {
    ...plane.options,
    languageModels: async () => gateway,
    responses: async () => undefined,
    sealKey: async () => Buffer.alloc(32, 1),
    ...overrides,
  };
  const http = createHttpGateway({
    faces: [geminiFace(options), openAiFace(options)],
    open: true,
    limits: { drainGraceMs: 0, drainTimeoutMs: 5000, ...overrides.limits },
    ...options,
  });
  const { port } = await http.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => http.drain());
  return {
    gateway,
    inference,
    access: plane.options.access,
    port,
    url: `http://127.0.0.1:${port}`,
  };
}

/** A model that never sends another word, until its reader gives up. */
export async function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
