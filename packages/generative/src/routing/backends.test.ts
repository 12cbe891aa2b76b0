/** Which routes share a breaker: those to one upstream with one key, for what both would meet. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LanguageSettings } from '@skein/api';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openGateway } from '../gateway.ts';
import { callerOf, requestOf } from '../testing/calls.ts';
import { createRouteMemory, type SpentQuota } from './route-memory.ts';

beforeEach(() => void vi.stubEnv('ONE_KEY', 'k1').stubEnv('SAME_KEY', 'k1').stubEnv('OTHER', 'k2'));
afterEach(() => void vi.unstubAllEnvs());

type Refusal = readonly [status: number, error: unknown, headers?: Record<string, string>];

/** An upstream of both forms that refuses the model `sick` in one way and answers others. */
async function upstreamOf(refusal: Refusal | 'broken') {
  const asked: string[] = [];
  const server = createServer((request, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as { model?: string };
      const model = body.model ?? /models\/(.+?):/.exec(request.url ?? '')![1]!;
      asked.push(model);
      if (model === 'sick' && refusal === 'broken') return void request.socket.destroy();
      if (model === 'sick') {
        const [status, error, headers] = refusal as Refusal;
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        return void response.end(JSON.stringify({ error }));
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const isGemini = body.model === undefined;
      const event = isGemini
        ? { candidates: [{ content: { parts: [{ text: 'ok' }] }, finishReason: 'STOP' }] }
        : { choices: [{ index: 0, delta: { content: 'ok' }, finish_reason: 'stop' }] };
      response.end(`data: ${JSON.stringify(event)}\n\n${isGemini ? '' : 'data: [DONE]\n\n'}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** A gateway with `sick` and `well` over one upstream; `renamed` names it again, `other` with another key. */
async function gatewayOver(kind: 'openai' | 'gemini', url: string, memory = createRouteMemory()) {
  const provider = (name: string, key: string) => {
    return { name, kind, baseUrl: url, apiKey: `env:${key}` };
  };
  const model = (name: string, on: string, at = name) => {
    return { name, routes: [{ provider: on, model: at }], ttftMs: 30_000 };
  };
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      providers: [
        provider('p', 'ONE_KEY'),
        provider('renamed', 'SAME_KEY'),
        provider('other', 'OTHER'),
      ],
      models: [
        model('sick', 'p'),
        model('well', 'p'),
        model('same', 'renamed', 'well'),
        model('twin', 'renamed', 'sick'),
        model('other', 'other', 'well'),
      ],
    }),
    memory,
    random: () => 0.5,
  });
  onTestFinished(() => gateway.close());
  async function ask(name: string, tenant = 'default'): Promise<string> {
    try {
      const { events } = await gateway.generate(requestOf(name), callerOf({ tenant }));
      let text = '';
      for await (const event of events) if (event.type === 'text') text += event.text;
      return text;
    } catch (error) {
      return (error as { code: string }).code;
    }
  }
  const closed = () =>
    Object.fromEntries(
      gateway
        .standing()
        .flatMap(({ name, routes: [route] }) =>
          route!.closedInMs > 0 ? [[name, route!.closedBy]] : [],
        ),
    );
  return { ask, closed };
}

const EVERY_MODEL = (code: string) => {
  const closed = { code, scope: 'provider' };
  return { sick: closed, well: closed, same: closed, twin: closed };
};
const violation = (quotaId: string, quotaDimensions?: object): Refusal => [
  429,
  { code: 429, details: [{ violations: [{ quotaId, quotaDimensions }] }] },
];

describe('all models of an upstream and a key, under each name of it,', () => {
  it.each([
    ['an account that owes', 'openai', [402, { message: 'x' }], 'PROVIDER_DENIED', 1],
    ['a broken connection', 'openai', 'broken', 'PROVIDER_UNREACHABLE', 3],
    ['an account without credit', 'openai', [429, { code: 'insufficient_quota' }], 'PROVIDER_QUOTA', 1], // prettier-ignore
    ['a quota of the project', 'gemini', violation('GenerateRequestsPerDayPerProject'), 'PROVIDER_QUOTA', 1], // prettier-ignore
  ] as const)('share the breaker of %s (%s)', async (_, kind, refusal, code, times) => {
    const upstream = await upstreamOf(refusal);
    const { ask, closed } = await gatewayOver(kind, upstream.url);
    for (let at = 0; at < times; at++) expect(await ask('sick', `t${at}`)).toBe(code);
    expect(closed()).toEqual(EVERY_MODEL(code));
    const before = upstream.asked.length;
    for (const name of ['sick', 'well', 'same']) {
      expect(await ask(name)).toBe('PROVIDERS_UNAVAILABLE');
    }
    expect(upstream.asked).toHaveLength(before);
    // The same upstream with another key is asked.
    expect(await ask('other')).toBe('ok');
  });
});

describe('one model alone', () => {
  it.each([
    ['a quota that names models', 'gemini', violation('GenerateRequestsPerDayPerProjectPerModel-FreeTier')], // prettier-ignore
    ['a quota with a model among its dimensions', 'gemini', violation('RequestsPerDay', { model: 'sick' })], // prettier-ignore
    ['a rate', 'openai', [429, { code: 'rate_limit_exceeded' }, { 'retry-after': '30' }]],
  ] as const)('is away for %s, over every name of its provider (%s)', async (_, kind, refusal) => {
    const upstream = await upstreamOf(refusal);
    const { ask, closed } = await gatewayOver(kind, upstream.url);
    await ask('sick');
    const quota = { code: 'PROVIDER_QUOTA', scope: 'model' };
    expect(closed()).toEqual({ sick: quota, twin: quota });
    expect(await ask('well')).toBe('ok');
    expect(upstream.asked).toEqual(['sick', 'well']);
  });

  it.each([
    ['a key', 'openai', [401, { message: 'x' }]],
    ['a key by its name', 'openai', [401, { code: 'invalid_api_key' }]],
    ['a key', 'gemini', [400, { code: 400, details: [{ reason: 'API_KEY_INVALID' }] }]],
    ['a token', 'gemini', [401, { code: 401 }]],
  ] as const)(
    'whose upstream refuses %s is away for every tenant (%s)',
    async (_, kind, refusal) => {
      const upstream = await upstreamOf(refusal);
      const { ask, closed } = await gatewayOver(kind, upstream.url);
      expect(await ask('sick', 'a')).toBe('PROVIDER_DENIED');
      expect(closed()).toEqual({ sick: { code: 'PROVIDER_DENIED', scope: 'model' } });
      expect(await ask('sick', 'b')).toBe('PROVIDERS_UNAVAILABLE');
      // A proxy refuses the key that it has itself for one model, and answers for others.
      expect([await ask('well'), await ask('same')]).toEqual(['ok', 'ok']);
    },
  );

  it.each([
    ['that the upstream does not have', 'openai', [404, { code: 'model_not_found' }], 3, 'PROVIDER_MODEL_UNKNOWN'], // prettier-ignore
    ['that the upstream does not have', 'gemini', [404, { code: 404, status: 'NOT_FOUND' }], 3, 'PROVIDER_MODEL_UNKNOWN'], // prettier-ignore
    ['that fails', 'openai', [500, { message: 'x' }], 3, 'PROVIDER_FAILED'],
    ['that the key may not use', 'openai', [403, { code: 'model_not_found' }], 1, 'PROVIDER_DENIED'], // prettier-ignore
    ['that the key may not use', 'gemini', [403, { code: 403, details: [{ reason: 'IAM_PERMISSION_DENIED' }] }], 1, 'PROVIDER_DENIED'], // prettier-ignore
  ] as const)('%s closes its own route (%s)', async (_, kind, refusal, times, code) => {
    const upstream = await upstreamOf(refusal);
    const { ask, closed } = await gatewayOver(kind, upstream.url);
    for (let at = 0; at < times; at++) expect(await ask('sick')).toBe(code);
    expect(closed()).toEqual({ sick: { code, scope: 'model', tenants: 1 } });
    expect(await ask('sick')).toBe('PROVIDERS_UNAVAILABLE');
    expect(await ask('well')).toBe('ok');
  });
});

describe('requests of one tenant that always fail', () => {
  it.each([
    ['an error of the upstream', [500, { message: 'x' }], 'PROVIDER_FAILED'],
    ['a connection that breaks', 'broken', 'PROVIDER_UNREACHABLE'],
    ['a refusal of their content', [403, { message: 'blocked' }], 'PROVIDER_DENIED'],
  ] as const)('keep no other one away (%s)', async (_, refusal, code) => {
    const upstream = await upstreamOf(refusal);
    const { ask } = await gatewayOver('openai', upstream.url);
    for (let at = 0; at < 9; at++) await ask('sick', 'bad');
    expect(await ask('sick', 'bad')).toBe('PROVIDERS_UNAVAILABLE');
    expect(await ask('well', 'good')).toBe('ok');
    expect(await ask('sick', 'good')).toBe(code);
  });
});

it('an answer of any model ends the failures of the connection', async () => {
  const upstream = await upstreamOf('broken');
  const { ask, closed } = await gatewayOver('openai', upstream.url);
  for (let round = 0; round < 2; round++) {
    for (let at = 0; at < 2; at++) expect(await ask('sick')).toBe('PROVIDER_UNREACHABLE');
    expect(await ask('same')).toBe('ok');
  }
  expect(closed()).toEqual({});
});

describe('a memory of routes', () => {
  const quota = (until: number, more: Partial<SpentQuota> = {}): SpentQuota => ({
    backend: 'b',
    providers: ['p'],
    id: 'day',
    model: undefined,
    until,
    ...more,
  });
  const LONG = 10_000_000;
  function memoryOf() {
    const spent: SpentQuota[] = [];
    const memory = createRouteMemory((each) => spent.push(each));
    const { backend } = memory.routeOf('r', 'b', 'p');
    const ids = () => backend.quotas.map(({ id }) => id);
    return { memory, spent, backend, ids };
  }

  it('reports a quota that lasts, once it is spent, until it is kept', () => {
    const { memory, spent, backend } = memoryOf();
    backend.spend({ id: 'minute', until: 30_000 }, 0);
    backend.spend({ id: 'day', until: LONG }, 0);
    expect(spent).toEqual([quota(LONG)]);
    expect(memory.unkept(1)).toEqual([quota(LONG)]);
    memory.kept(quota(LONG), 2);
    expect(memory.unkept(3)).toEqual([]);
    // Spent anew, to another reset: to be kept again.
    backend.spend({ id: 'day', until: 2 * LONG }, 4);
    expect(memory.unkept(5)).toEqual([quota(2 * LONG)]);
  });

  it('follows what is kept: takes what is new, and closes what was kept and is gone', () => {
    const { memory, spent, backend, ids } = memoryOf();
    memory.follow([quota(LONG), quota(5, { id: 'over' })], 10);
    expect(ids()).toEqual(['day']);
    expect([spent, memory.unkept(11)]).toEqual([[], []]);
    memory.follow([quota(LONG)], 20);
    expect(ids()).toEqual(['day']);
    memory.follow([], 30);
    expect(ids()).toEqual([]);
    // One that is not kept yet, or was kept after the reading began, is not gone.
    backend.spend({ id: 'day', until: LONG }, 40);
    memory.follow([], 41);
    memory.kept(quota(LONG), 45);
    memory.follow([], 44);
    expect(ids()).toEqual(['day']);
    memory.follow([], 46);
    expect(ids()).toEqual([]);
  });

  it('drops the open circuits of a provider that is declared anew, and of no other', () => {
    const { memory, backend, ids } = memoryOf();
    const other = memory.routeOf('r2', 'b2', 'q').backend;
    for (const each of [backend, other]) each.spend({ id: 'day', until: LONG }, 0);
    memory.drop('p');
    expect([ids(), other.quotas.length]).toEqual([[], 1]);
  });
});
