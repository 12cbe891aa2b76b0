import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Provider } from './contract.ts';
import { callerOf, eventsOf, requestOf, textOf } from './testing/calls.ts';
import { model, open, puppet, text } from './testing/puppet.ts';
import { openFaultyUpstream } from './faulty-upstream/faulty-upstream.ts';
import { upstreamError } from './wire/upstream-error.ts';

describe('routes', () => {
  it.each([
    ['began in time', 'a', 21],
    ['has not begun', '', 22],
  ])('are hedged for the first token of a whole answer, not its length: %s', async (...row) => {
    const [, first, calls] = row;
    let called = 0;
    const rest = Promise.withResolvers<void>();
    const provider: Provider = {
      name: 'p',
      async *generate() {
        called += 1;
        yield text(first);
        // The hedge, if there is one, is quick.
        if (called === 21) await rest.promise;
        yield text('b');
        yield { type: 'finish', reason: 'stop' };
      },
      close: async () => {},
    };
    // Each first token takes 0 ms by this clock, so that a hedge comes with the next timer.
    const clock = { now: () => 0 };
    const gateway = await open({ models: [model('m', 'p')] }, { providers: [provider], clock });
    const ask = () =>
      gateway.generate(requestOf('m', { stream: false }), callerOf({ arrivedAt: 0 }));
    for (let asked = 0; asked < 20; asked++) await eventsOf(await ask());
    const answer = ask();
    for (let timers = 0; timers < 20; timers++) await sleep(1);
    rest.resolve();
    expect(textOf(await eventsOf(await answer))).toBe(`${first}b`);
    expect(called).toBe(calls);
  });

  it('keep a tenant’s data where it may go', async () => {
    const near = puppet('near');
    const far = puppet('far');
    const gateway = await open(
      {
        models: [model('m', 'far', 'near'), model('far-only', 'far')],
        allow: [{ tenant: 'careful', providers: ['near'] }],
      },
      { providers: [near.provider, far.provider] },
    );
    const caller = callerOf({ tenant: 'careful' });
    expect((await gateway.generate(requestOf('m'), caller)).provider).toBe('near');
    await expect(gateway.generate(requestOf('far-only'), caller)).rejects.toMatchObject({
      code: 'PROVIDER_FORBIDDEN',
    });
    expect(far.state.calls).toBe(0);
    expect(gateway.models('careful').map(({ name }) => name)).toEqual(['m']);
    await expect(gateway.generate(requestOf('none'), caller)).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
  });

  it('are not asked while their quota is spent, and the refusal names the end', async () => {
    const upstream = await openFaultyUpstream();
    onTestFinished(() => upstream.close());
    const gateway = await open({
      providers: [{ name: 'g', kind: 'gemini', baseUrl: upstream.baseUrl('gemini', 'quota-day') }],
      models: [model('m', 'g')],
    });
    const ask = () => gateway.generate(requestOf('m'), callerOf());
    await expect(ask()).rejects.toMatchObject({ code: 'PROVIDER_QUOTA' });
    const refusal = await ask().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'PROVIDERS_UNAVAILABLE' });
    expect((refusal as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(20_000);
    expect(upstream.requests).toBe(1);
    const [route] = (await gateway.view()).models[0]!.routes;
    expect(Object.keys(route!.quotas)).toEqual([
      'GenerateRequestsPerDayPerProjectPerModel-FreeTier',
    ]);
  });

  it.each([
    ['generate', 'a short deadline of its callers', 20, 0],
    ['embed', 'a short deadline of its callers', 20, 0],
    ['generate', 'a deadline as long as the one of the model', 160, 3],
    ['embed', 'a deadline as long as the one of the model', 160, 3],
  ] as const)('to a silent provider are closed by their own time only: %s, %s', async (...row) => {
    const [kind, , deadlineMs, failures] = row;
    const { provider, state } = puppet('p');
    state.go = new Promise(() => {});
    const embed: Provider['embed'] = async (_, { signal }) => {
      await state.go;
      throw signal.reason;
    };
    const gateway = await open(
      { models: [{ ...model('m', 'p'), ttftMs: 10, deadlineMs: 80 }] },
      // Its timers run all the same; a pause of the machine makes no request late before it is sent.
      { providers: [{ ...provider, embed }], clock: { now: () => 0 } },
    );
    for (let asked = 0; asked < 3; asked++) {
      const caller = callerOf({ arrivedAt: 0, deadline: deadlineMs });
      const answer =
        kind === 'generate'
          ? gateway.generate(requestOf('m'), caller)
          : gateway.embed({ model: 'm', inputs: ['a'] }, caller);
      await expect(answer).rejects.toMatchObject({ code: 'PROVIDER_TIMEOUT' });
    }
    const [route] = (await gateway.view()).models[0]!.routes;
    expect(route).toMatchObject({ failures, running: 0 });
  });

  it('never repeat a content filter at another provider', async () => {
    const other = puppet('other');
    const filtering: Provider = {
      name: 'filtering',
      // oxlint-disable-next-line require-yield
      async *generate() {
        throw upstreamError('CONTENT_FILTERED', { provider: 'filtering', message: 'blocked' });
      },
      close: async () => {},
    };
    const gateway = await open(
      { models: [model('m', 'filtering', 'other')] },
      { providers: [filtering, other.provider] },
    );
    await expect(gateway.generate(requestOf('m'), callerOf())).rejects.toMatchObject({
      code: 'CONTENT_FILTERED',
    });
    expect(other.state.calls).toBe(0);
  });

  it('count embedded tokens where the upstream counts 0, and settle them', async () => {
    const usage = { inputTokens: 0, outputTokens: 0 };
    const embed: Provider['embed'] = async () => ({ vectors: [Float32Array.of(1)], usage });
    const price = { input: 100, output: 0 };
    const gateway = await open(
      { models: [{ ...model('m'), routes: [{ provider: 'p', model: 'm', price }] }] },
      { providers: [{ ...puppet('p').provider, embed }] },
    );
    // 36 characters are 10 tokens.
    const answer = await gateway.embed({ model: 'm', inputs: ['x'.repeat(36)] }, callerOf());
    const estimate = { inputTokens: 10, outputTokens: 0, isEstimate: true };
    expect(answer).toMatchObject({ usage: estimate, receipt: { usage: estimate, costUsd: 0.001 } });
  });

  it('count tokens where one of them can, and free of charge', async () => {
    const counting: Provider = {
      ...puppet('b').provider,
      countTokens: async ({ model: asked, messages }) => asked.length + messages.length,
    };
    const price = { input: 100, output: 100 };
    const routes = ['a', 'b'].map((provider) => ({ provider, model: 'upstream', price }));
    const budgets = [{ subject: 'tenant:default', period: 'day' as const, tokens: 5 }];
    const gateway = await open(
      { models: [{ ...model('m'), routes }, model('blind', 'a')], budgets },
      { providers: [puppet('a').provider, counting] },
    );
    expect(await gateway.countTokens(requestOf('m'), callerOf())).toBe(
      'upstream'.length + requestOf('m').messages.length,
    );
    expect((await gateway.view()).budgets.map(({ taken }) => taken)).toEqual([0]);
    await expect(gateway.countTokens(requestOf('blind'), callerOf())).rejects.toMatchObject({
      code: 'GENERATION_UNSUPPORTED',
      message: 'No provider of blind counts tokens without an answer.',
    });
    await expect(gateway.countTokens(requestOf('none'), callerOf())).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
  });

  it('lose nothing where a count of tokens fails', async () => {
    const broken: Provider = {
      ...puppet('b').provider,
      async countTokens() {
        throw upstreamError('PROVIDER_TIMEOUT', { provider: 'b', message: 'late.' });
      },
    };
    const losses: object[] = [];
    const gateway = await open(
      { models: [model('m', 'b')] },
      { providers: [broken], observeLoss: (loss) => void losses.push(loss) },
    );
    await expect(gateway.countTokens(requestOf('m'), callerOf())).rejects.toMatchObject({
      code: 'PROVIDER_TIMEOUT',
    });
    expect(losses).toEqual([]);
  });

  it('embed texts, in base64 on the wire', async () => {
    const upstream = await openFaultyUpstream();
    onTestFinished(() => upstream.close());
    const gateway = await open({
      providers: [{ name: 'e', kind: 'openai', baseUrl: upstream.baseUrl('openai', 'none') }],
      models: [model('m', 'e')],
    });
    const { vectors, receipt } = await gateway.embed(
      { model: 'm', inputs: ['a', 'four'] },
      callerOf(),
    );
    expect(vectors).toEqual([Float32Array.of(1, 0, 0.5), Float32Array.of(4, 1, 0.5)]);
    expect(receipt).toMatchObject({ provider: 'e', usage: { inputTokens: 5 } });
  });
});
