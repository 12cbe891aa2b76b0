import { getEventListeners } from 'node:events';
import type { LanguageSettingsInput } from '@skein/api';
import { describe, expect, it, vi } from 'vitest';
import type { Caller, Part, Provider, GenerateRequest } from './contract.ts';
import type { GatewayOptions, Loss, Outcome } from './gateway-options.ts';
import { callerOf, eventsOf, requestOf, textOf } from './testing/calls.ts';
import { model, open, puppet, text, USAGE } from './testing/puppet.ts';
import { promptTokens } from './money/price.ts';
import { upstreamError } from './wire/upstream-error.ts';

it('closes the providers that were open when another cannot be opened', async () => {
  const closed: string[] = [];
  const factories: NonNullable<GatewayOptions['factories']> = {
    openai: async ({ name }) => ({
      ...puppet(name).provider,
      close: async () => void closed.push(name),
    }),
  };
  const here = { name: 'here', kind: 'openai' as const };
  const failing: LanguageSettingsInput[] = [
    { providers: [here, { name: 'b', kind: 'skein' }] },
    { providers: [here], models: [model('m', 'nowhere')] },
  ];
  for (const settings of failing) {
    await expect(open(settings, { factories })).rejects.toMatchObject({ code: 'PROVIDER_INVALID' });
  }
  expect(closed).toEqual(['here', 'here']);
});

it.each([
  ['path', { kind: 'openai', path: '/models/tiny' }],
  ['baseUrl', { kind: 'onnx', path: '/models/tiny', baseUrl: 'http://127.0.0.1:9/v1' }],
  ['continuation', { kind: 'skein', baseUrl: 'http://127.0.0.1:9', continuation: 'vllm' }],
  ['apiKey', { kind: 'vertex', project: 'p', apiKey: 'env:NONE' }],
] as const)('refuses %s of a provider whose kind would ignore it', async (field, provider) => {
  await expect(open({ providers: [{ name: 'p', ...provider }] })).rejects.toMatchObject({
    code: 'PROVIDER_INVALID',
    message: `Provider p of kind ${provider.kind} takes no ${field}.`,
  });
});

it('answers by other routes while a provider cannot be opened, and by it once it can', async () => {
  let isThere = false;
  const closed: string[] = [];
  const factories: NonNullable<GatewayOptions['factories']> = {
    onnx: async ({ name }) => {
      if (name === 'gone' && !isThere) throw new Error('There is no such folder.');
      return {
        ...puppet(name, [`by ${name}`]).provider,
        close: async () => void closed.push(name),
      };
    },
  };
  const changes: [string, string | undefined][] = [];
  const gateway = await open(
    {
      providers: [
        { name: 'gone', kind: 'onnx' },
        { name: 'here', kind: 'onnx' },
      ],
      models: [model('both', 'gone', 'here'), model('alone', 'gone')],
    },
    { factories, unopened: (name, error) => void changes.push([name, (error as Error)?.message]) },
  );
  const ask = async (name: string) =>
    textOf(await eventsOf(await gateway.generate(requestOf(name), callerOf())));
  expect(await ask('both')).toBe('by here');
  await expect(ask('alone')).rejects.toMatchObject({
    code: 'PROVIDER_UNREACHABLE',
    message: 'Provider gone: this node cannot open it.',
  });
  const failed = ['gone', 'There is no such folder.'];
  expect(changes).toEqual([failed, failed, failed]);
  isThere = true;
  expect(await ask('alone')).toBe('by gone');
  expect(changes.at(-1)).toEqual(['gone', undefined]);
  await gateway.close();
  expect(closed.sort()).toEqual(['gone', 'here']);
});

it('refuses what is asked after it was closed, and asks no provider', async () => {
  const { provider, state } = puppet('p');
  const outcomes: Outcome[] = [];
  const embed = vi.fn(async () => ({ vectors: [], usage: { inputTokens: 1, outputTokens: 0 } }));
  const countTokens = vi.fn(async () => 1);
  const gateway = await open(
    { models: [model('m', 'p')] },
    {
      providers: [{ ...provider, embed, countTokens }],
      embed: () => embed,
      observe: (outcome) => void outcomes.push(outcome),
    },
  );
  await eventsOf(await gateway.generate(requestOf('m'), callerOf()));
  await gateway.close();
  const inputs = ['a'];
  const refused = [
    gateway.generate(requestOf('m'), callerOf()),
    // An answer of the cache too.
    gateway.generate(requestOf('m', { sampling: { temperature: 0 } }), callerOf()),
    gateway.embed({ model: 'm', inputs }, callerOf()),
    gateway.embed({ model: 'deployed', inputs }, callerOf()),
    gateway.countTokens(requestOf('m'), callerOf()),
  ];
  for (const each of refused) await expect(each).rejects.toMatchObject({ code: 'NODE_DRAINING' });
  expect(state.calls).toBe(1);
  expect(embed).not.toHaveBeenCalled();
  expect(countTokens).not.toHaveBeenCalled();
  expect(outcomes.map(({ error }) => error)).toEqual([
    undefined,
    ...Array(4).fill('NODE_DRAINING'),
  ]);
});

describe('a caller that goes', () => {
  it.each(['before the first token', 'while it reads', 'before it reads'])(
    'frees the provider and its place: %s',
    async (when) => {
      const { provider, state } = puppet('p');
      const gateway = await open({ models: [model('m', 'p')] }, { providers: [provider] });
      const gone = new AbortController();
      if (when === 'before the first token') state.go = new Promise(() => {});
      const answer = gateway.generate(requestOf('m'), callerOf({ signal: gone.signal }));
      answer.catch(() => {});
      await vi.waitFor(() => expect(state.calls).toBe(1));
      if (when === 'while it reads') for await (const _ of (await answer).events) break;
      else {
        if (when === 'before it reads') await answer;
        gone.abort();
      }
      await vi.waitFor(async () => {
        expect((await gateway.view()).models[0]!.routes[0]!.running).toBe(0);
      });
      await vi.waitFor(() => expect(state.open).toBe(0));
    },
  );
});

// A signal that outlives its call keeps all that its listeners reach.
describe('the signal of a call has no listener left after', () => {
  const fails = upstreamError('PROVIDER_CUT', { provider: 'p', message: 'x' });
  it.each(['stream', 'whole', 'cut', 'left half read', 'embed', 'failed embed'] as const)(
    '%s',
    async (how) => {
      const provider: Provider = {
        name: 'p',
        async *generate() {
          yield text('a');
          if (how === 'cut') throw fails;
          yield { type: 'finish', reason: 'stop' };
        },
        async embed() {
          if (how === 'failed embed') throw fails;
          return { vectors: [], usage: { inputTokens: 1, outputTokens: 0 } };
        },
        close: async () => {},
      };
      const gateway = await open({ models: [model('m', 'p')] }, { providers: [provider] });
      const caller = callerOf();
      if (how.includes('embed')) {
        const embedded = gateway.embed({ model: 'm', inputs: ['a'] }, caller);
        await Promise.allSettled([embedded]);
      } else {
        const stream = how !== 'whole';
        const answer = await gateway.generate(requestOf('m', { stream }), caller);
        if (how === 'left half read') for await (const _ of answer.events) break;
        else await Promise.allSettled([eventsOf(answer)]);
      }
      const left = () => getEventListeners(caller.signal, 'abort');
      await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 30_000 });
    },
  );
});

describe('money', () => {
  it('is refused before anything is sent, counted for each call, and reported to the observer', async () => {
    const { provider, state } = puppet('p');
    const outcomes: Outcome[] = [];
    const price = { input: 100, output: 100 };
    const gateway = await open(
      {
        models: [{ ...model('m'), cache: false, routes: [{ provider: 'p', model: 'm', price }] }],
        budgets: [{ subject: 'tenant:default', usd: 0.02 }],
      },
      { providers: [provider], observe: (outcome) => void outcomes.push(outcome) },
    );
    const answer = await gateway.generate(requestOf('m', { maxTokens: 100 }), callerOf());
    expect(Number(answer.headers()['skein-cost-limit-usd'])).toBeGreaterThan(0.01);
    await eventsOf(answer);
    expect(answer.receipt()).toMatchObject({ costUsd: 0.003, usage: USAGE.usage });
    const dear = gateway.generate(requestOf('m', { maxTokens: 1000 }), callerOf());
    await expect(dear).rejects.toMatchObject({ code: 'BUDGET_SPENT' });
    expect(state.calls).toBe(1);
    expect(outcomes).toMatchObject([
      { model: 'm', receipt: { costUsd: 0.003 } },
      { model: 'm', error: 'BUDGET_SPENT' },
    ]);
  });

  it('of calls without an answer is reported as a loss, also of a fallback, and is on the receipt of an answer', async () => {
    const cut = (name: string): Provider => ({
      ...puppet(name).provider,
      async *generate() {
        yield text('a'.repeat(40));
        throw upstreamError('PROVIDER_CUT', { provider: name, message: 'x' });
      },
    });
    const losses: Loss[] = [];
    const price = { input: 0, output: 100 };
    const route = (provider: string) => ({ provider, model: 'm', price });
    const gateway = await open(
      {
        models: [
          { ...model('none'), routes: [route('a'), route('b')] },
          { ...model('well'), routes: [route('a'), route('p')] },
        ],
      },
      {
        providers: [cut('a'), cut('b'), puppet('p').provider],
        observeLoss: (loss) => void losses.push(loss),
      },
    );
    const none = gateway.generate(requestOf('none', { stream: false }), callerOf());
    await expect(none).rejects.toMatchObject({ code: 'PROVIDER_CUT' });
    const well = await gateway.generate(requestOf('well', { stream: false }), callerOf());
    await eventsOf(well);
    const loss = { model: 'none', caller: { tenant: 'default' }, costUsd: losses[0]!.costUsd };
    expect(losses).toMatchObject([
      { ...loss, provider: 'a' },
      { ...loss, provider: 'b' },
      { ...loss, model: 'well', provider: 'a' },
    ]);
    expect(loss.costUsd).toBeGreaterThan(0);
    const own = (USAGE.usage.outputTokens * price.output) / 1e6;
    expect(well.receipt()!.answerUsd).toBeCloseTo(own, 9);
    expect(well.receipt()!.costUsd).toBeCloseTo(own + loss.costUsd, 9);
  });

  it.each(['cut', 'left'])(
    'shows the tokens that it is for, of a stream that is %s',
    async (end) => {
      const provider: Provider = {
        ...puppet('p').provider,
        async *generate() {
          yield text('a'.repeat(40));
          if (end === 'cut') throw upstreamError('PROVIDER_CUT', { provider: 'p', message: 'x' });
          yield text('b');
        },
      };
      const outcomes: Outcome[] = [];
      const price = { input: 0, output: 100 };
      const gateway = await open(
        { models: [{ ...model('m'), routes: [{ provider: 'p', model: 'm', price }] }] },
        { providers: [provider], observe: (outcome) => void outcomes.push(outcome) },
      );
      const { events } = await gateway.generate(requestOf('m'), callerOf());
      if (end === 'left') for await (const _ of events) break;
      else await expect(eventsOf({ events })).rejects.toMatchObject({ code: 'PROVIDER_CUT' });
      const { usage, costUsd } = outcomes[0]!.receipt!;
      expect(usage).toMatchObject({
        inputTokens: promptTokens(requestOf('m')).expected,
        isEstimate: true,
      });
      expect(usage.outputTokens).toBeGreaterThan(0);
      expect(costUsd).toBeCloseTo((usage.outputTokens * 100) / 1e6, 9);
    },
  );

  it.each([
    ['operator', 'operator'],
    ['tenant:default', undefined],
  ] as const)('of %s bounds the fields of what it pays, and of nothing else', async (...row) => {
    const [subject, payer] = row;
    const { provider } = puppet('p');
    const embed = async () => ({ vectors: [], usage: { inputTokens: 1, outputTokens: 0 } });
    const gateway = await open(
      { models: [model('m', 'p')], budgets: [{ subject, usd: 1 }] },
      { providers: [{ ...provider, embed }] },
    );
    const ask = (caller: Caller) => {
      const extra = { service_tier: 'priority' };
      return Promise.allSettled([
        gateway.generate(requestOf('m', { extra }), caller).then(eventsOf),
        gateway.embed({ model: 'm', inputs: ['a'], extra }, caller),
      ]);
    };
    const refused = { reason: { code: 'REQUEST_INVALID' } };
    expect(await ask(callerOf({ payer }))).toMatchObject([refused, refused]);
    const other = await ask(callerOf({ payer: payer === undefined ? 'operator' : undefined }));
    expect(other).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
  });

  const expected = promptTokens(requestOf('m')).expected;
  it.each([
    // 36 characters are 10 tokens.
    ['no prompt', 'x'.repeat(36), [0, 20], [expected, 20], true],
    ['no answer', 'x'.repeat(36), [10, 0], [10, 10], true],
    ['nothing', 'x'.repeat(36), [0, 0], [expected, 10], true],
    ['an empty answer', '', [10, 0], [10, 0], undefined],
    ['no answer before it', 'x'.repeat(36), [10, 0], [10, 10], true, 'before'],
  ] as const)('is estimated where a provider counts %s, of what was sent', async (...row) => {
    const [, content, [inputTokens, outputTokens], [input, output], isEstimate, when] = row;
    const counted = { type: 'usage', usage: { inputTokens, outputTokens } } as const;
    const provider: Provider = {
      name: 'p',
      async *generate() {
        if (when === 'before') yield counted;
        yield text(content);
        yield { type: 'finish', reason: 'stop' };
        if (when !== 'before') yield counted;
      },
      close: async () => {},
    };
    const price = { input: 100, output: 1000 };
    const gateway = await open(
      { models: [{ ...model('m'), routes: [{ provider: 'p', model: 'm', price }] }] },
      { providers: [provider] },
    );
    for (const stream of [true, false]) {
      const answer = await gateway.generate(requestOf('m', { stream }), callerOf());
      const events = await eventsOf(answer);
      const { usage, costUsd } = answer.receipt()!;
      expect(usage).toEqual({ inputTokens: input, outputTokens: output, isEstimate });
      expect(costUsd).toBeCloseTo((input * 100 + output * 1000) / 1e6, 9);
      // The caller reads the same.
      expect(events.findLast((each) => each.type === 'usage')).toMatchObject({ usage });
    }
  });
});

it.each<[string, Partial<GenerateRequest>]>([
  ['stop', { stop: Array.from({ length: 100_000 }, String) }],
  ['tools', { tools: Array.from({ length: 1000 }, (_, at) => ({ name: `t${at}` })) }],
  ['tools', { tools: [{ name: 'no spaces' }] }],
  ['max_tokens', { maxTokens: -1 }],
  ['n', { choices: 0.5 }],
  ['messages', { messages: [] }],
  ['tool_choice', { toolChoice: 'required' }],
  ['tool_choice', { tools: [{ name: 'f' }], toolChoice: { name: 'g' } }],
])('refuses a bad %s before it is sent', async (field, more) => {
  const { provider, state } = puppet('p');
  const gateway = await open({ models: [model('m', 'p')] }, { providers: [provider] });
  await expect(gateway.generate(requestOf('m', more), callerOf())).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    message: expect.stringContaining(`"${field}"`),
  });
  expect(state.calls).toBe(0);
});

it('leaves it to the provider whether an image fits into the context', async () => {
  const { provider } = puppet('p');
  const models = [{ ...model('m', 'p'), contextTokens: 1000 }];
  const gateway = await open({ models }, { providers: [provider] });
  const ask = (part: Part) =>
    gateway.generate(requestOf('m', { messages: [{ role: 'user', content: [part] }] }), callerOf());
  expect(textOf(await eventsOf(await ask({ type: 'image', url: 'https://a.b/c.png' })))).toBe('ab');
  await expect(ask({ type: 'text', text: 'x'.repeat(10_000) })).rejects.toMatchObject({
    code: 'CONTEXT_TOO_LONG',
  });
});

it('refuses a schema that refers to itself', async () => {
  const { provider } = puppet('p');
  const gateway = await open({ models: [model('m', 'p')] }, { providers: [provider] });
  const cyclic: Record<string, unknown> = { type: 'object' };
  cyclic['properties'] = { self: cyclic };
  const request = requestOf('m', { tools: [{ name: 't', parameters: cyclic }] });
  await expect(gateway.generate(request, callerOf())).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
});
