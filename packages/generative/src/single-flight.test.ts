import { describe, expect, it, vi } from 'vitest';
import type { GatewayOptions } from './gateway-options.ts';
import { callerOf, eventsOf, requestOf, textOf } from './testing/calls.ts';
import { model, open, puppet } from './testing/puppet.ts';

const same = requestOf('m', { sampling: { temperature: 0 } });
const price = { input: 1, output: 1 };
const priced = (more: object = {}) => ({
  ...model('m'),
  routes: [{ provider: 'p', model: 'm', price }],
  ...more,
});

/** A gateway whose provider waits until `start` is called. */
async function held(more: object = {}, options: Partial<GatewayOptions> = {}) {
  const { provider, state } = puppet('p');
  const go = Promise.withResolvers<void>();
  state.go = go.promise;
  const gateway = await open({ models: [priced(more)] }, { providers: [provider], ...options });
  const ask = (caller: Parameters<typeof callerOf>[0], stream = true) => {
    const answer = gateway.generate({ ...same, stream }, callerOf(caller));
    answer.catch(() => {});
    return answer;
  };
  const running = async () => (await gateway.view()).models[0]!.routes[0]!.running;
  return { gateway, state, ask, running, start: () => go.resolve() };
}

describe('deterministic requests', () => {
  it('are sent once: those in flight join, later ones are repeated, and pay nothing', async () => {
    const { gateway, state, ask, start } = await held();
    const asked = [1, 2, 3].map(() => ask({}));
    start();
    const answers = await Promise.all(asked);
    for (const answer of answers) expect(textOf(await eventsOf(answer))).toBe('ab');
    const again = await gateway.generate({ ...same, stream: false }, callerOf());
    expect(textOf(await eventsOf(again))).toBe('ab');
    expect(state.calls).toBe(1);
    expect([...answers, again].map((each) => each.receipt()!.cache)).toEqual([
      'miss',
      'joined',
      'joined',
      'hit',
    ]);
    expect(answers.map((each) => each.receipt()!.costUsd)).toEqual([0.00003, 0, 0]);
    expect(again.headers()).toMatchObject({
      'skein-cache': 'hit',
      'skein-cost-usd': '0.000000000',
    });
  });

  it.each([
    ['stop', undefined, 1],
    ['length', 5, 1],
    ['length', undefined, 2],
    ['content_filter', 5, 2],
  ] as const)('are repeated if their end is their own: %s with a limit of %s', async (...row) => {
    const [reason, maxTokens, calls] = row;
    const { provider, state } = puppet('p', ['a'], reason);
    const gateway = await open({ models: [priced()] }, { providers: [provider] });
    for (let n = 0; n < 2; n++) {
      await eventsOf(await gateway.generate({ ...same, maxTokens }, callerOf()));
    }
    expect(state.calls).toBe(calls);
  });

  it('neither join nor repeat those that a budget holds to a limit of tokens', async () => {
    const { provider, state } = puppet('p');
    const gateway = await open(
      {
        models: [priced({ maxOutputTokens: 100 })],
        budgets: [{ subject: 'key:metered', usd: 1, period: 'month' }],
      },
      { providers: [provider] },
    );
    const ask = async (key: string, maxTokens?: number) => {
      const answer = await gateway.generate({ ...same, maxTokens }, callerOf({ key }));
      await eventsOf(answer);
      return answer.receipt()!.cache;
    };
    expect(await Promise.all([ask('metered'), ask('free')])).toEqual(['miss', 'miss']);
    expect(await ask('free')).toBe('hit');
    // The same call as the one with the limit of the budget.
    expect(await ask('free', 100)).toBe('hit');
    expect(state.calls).toBe(2);
  });

  it('are not shared between tenants, and continue while one of their callers is there', async () => {
    const { state, ask, start } = await held();
    const gone = new AbortController();
    const [first, second] = [ask({ signal: gone.signal }), ask({})];
    const other = ask({ tenant: 'other' });
    await vi.waitFor(() => expect(state.calls).toBe(2), { timeout: 30_000 });
    start();
    const answer = await first;
    await answer.events[Symbol.asyncIterator]().return?.();
    gone.abort();
    expect(textOf(await eventsOf(await second))).toBe('ab');
    expect(textOf(await eventsOf(await other))).toBe('ab');
  });
});

describe.each([
  ['streamed', true],
  ['whole', false],
])('callers of one call, %s', (_, stream) => {
  const patient = { timeout: 30_000 };
  const left = new Error('left');

  it.each(['first', 'second'])('do not depend on the %s one, which leaves', async (which) => {
    const { state, ask, start } = await held();
    const gone = new AbortController();
    const [leaving, staying] =
      which === 'first'
        ? [ask({ signal: gone.signal }, stream), ask({}, stream)]
        : [ask({}, stream), ask({ signal: gone.signal }, stream)].toReversed();
    await vi.waitFor(() => expect(state.calls).toBe(1), patient);
    gone.abort(left);
    await expect(leaving).rejects.toBe(left);
    start();
    expect(textOf(await eventsOf(await staying!))).toBe('ab');
    expect(state.calls).toBe(1);
  });

  it.each(['first', 'second'])('do not depend on the deadline of the %s one', async (which) => {
    // Its timers run all the same; a pause of the machine makes no request late before it is sent.
    const { state, ask, start } = await held({}, { clock: { now: () => 0 } });
    const patientOne = () => ask({ arrivedAt: 0 }, stream);
    const short = () => ask({ arrivedAt: 0, deadline: 20 }, stream);
    const [hurried, staying] =
      which === 'first' ? [short(), patientOne()] : [patientOne(), short()].toReversed();
    await expect(hurried).rejects.toMatchObject({ code: 'PROVIDER_TIMEOUT' });
    start();
    expect(textOf(await eventsOf(await staying!))).toBe('ab');
    expect(state.calls).toBe(1);
  });

  it('try by themselves when it has ended by the bounds of another', async () => {
    const { state, ask } = await held({ ttftMs: 10, deadlineMs: 40 });
    const never = new Promise(() => {});
    Object.defineProperty(state, 'go', { get: () => (state.calls === 1 ? never : undefined) });
    const first = ask({}, stream);
    const second = ask({ deadline: performance.now() + 60_000 }, stream);
    await expect(first).rejects.toMatchObject({ code: 'PROVIDER_TIMEOUT' });
    const answer = await second;
    expect(textOf(await eventsOf(answer))).toBe('ab');
    expect(answer.receipt()).toMatchObject({ cache: 'miss', attempts: 1 });
    expect(state.calls).toBe(2);
  });

  it('end it when the last of them leaves, and the next one begins another', async () => {
    const { state, ask, running, start } = await held();
    const gone = [new AbortController(), new AbortController()];
    const asked = gone.map(({ signal }) => ask({ signal }, stream));
    await vi.waitFor(() => expect(state.calls).toBe(1), patient);
    for (const each of gone) each.abort(left);
    const next = ask({}, stream);
    for (const each of asked) await expect(each).rejects.toBe(left);
    start();
    expect(textOf(await eventsOf(await next))).toBe('ab');
    expect(state.calls).toBe(2);
    await vi.waitFor(async () => expect([await running(), state.open]).toEqual([0, 0]), patient);
  });
});

it.each([
  ['a stream and a whole answer', {}, false],
  ['one that is to be continued and one that is not', { continues: true }, true],
])('is not one for %s', async (_, more, stream) => {
  const { state, ask, start } = await held();
  const asked = [ask({}, true), ask(more, stream)];
  await vi.waitFor(() => expect(state.calls).toBe(2), { timeout: 30_000 });
  start();
  for (const answer of asked) expect(textOf(await eventsOf(await answer))).toBe('ab');
});

it('is one for each request where the model has no cache', async () => {
  const { state, ask, start } = await held({ cache: false });
  const asked = [ask({}), ask({})];
  await vi.waitFor(() => expect(state.calls).toBe(2), { timeout: 30_000 });
  start();
  for (const answer of asked) expect(textOf(await eventsOf(await answer))).toBe('ab');
});

it('is paid by the first caller that stays, once', async () => {
  const { ask, start } = await held();
  const gone = new AbortController();
  const asked = [ask({ signal: gone.signal }), ask({}), ask({})];
  start();
  const answers = await Promise.all(asked);
  const [leaving, ...staying] = answers.map(({ events }) => events[Symbol.asyncIterator]());
  await leaving!.next();
  await leaving!.return!();
  for (const reader of staying.toReversed()) while ((await reader.next()).done !== true);
  expect(answers.map((each) => each.receipt()!.costUsd)).toEqual([0, 0.00003, 0]);
});

it.each([
  ['counts', [{ subject: 'key:rich', tokens: 1_000_000 }]],
  ['does not count', []],
])('does not refuse a caller, whom a budget %s, for the budget of another key', async (_, more) => {
  const { provider, state } = puppet('p');
  const budgets = [{ subject: 'key:poor', tokens: 1 }, ...more];
  const gateway = await open({ models: [priced()], budgets }, { providers: [provider] });
  const [poor, rich] = ['poor', 'rich'].map((key) => gateway.generate(same, callerOf({ key })));
  await expect(poor).rejects.toMatchObject({ code: 'BUDGET_SPENT' });
  expect(textOf(await eventsOf(await rich!))).toBe('ab');
  expect(state.calls).toBe(1);
});

describe('callers that joined a call which ends as another one might not', () => {
  it.each([
    ['content_filter', 5, true],
    ['length', undefined, true],
    ['length', 5, false],
    ['stop', undefined, false],
  ] as const)(
    'ask for themselves where they have read nothing: %s with a limit of %s',
    async (...row) => {
      const [reason, maxTokens, isOwn] = row;
      const { provider, state } = puppet('p', ['a'], reason);
      const go = Promise.withResolvers<void>();
      state.go = go.promise;
      const gateway = await open({ models: [priced()] }, { providers: [provider] });
      const asked = [1, 2, 3].map(() =>
        gateway.generate({ ...same, maxTokens, stream: false }, callerOf()),
      );
      go.resolve();
      const answers = await Promise.all(asked);
      for (const answer of answers) expect(textOf(await eventsOf(answer))).toBe('a');
      expect(state.calls).toBe(isOwn ? 3 : 1);
      expect(answers.map((each) => each.receipt()!.cache)).toEqual(
        isOwn ? ['miss', 'miss', 'miss'] : ['miss', 'joined', 'joined'],
      );
      expect(answers.map((each) => each.receipt()!.costUsd)).toEqual(
        isOwn ? [0.00003, 0.00003, 0.00003] : [0.00003, 0, 0],
      );
    },
  );

  it('ask for themselves where a stream is filtered before its first text, and share one that has begun', async () => {
    for (const words of [[], ['a']]) {
      const { provider, state } = puppet('p', words, 'content_filter');
      const go = Promise.withResolvers<void>();
      state.go = go.promise;
      const gateway = await open({ models: [priced()] }, { providers: [provider] });
      const asked = [1, 2].map(() => gateway.generate(same, callerOf()));
      go.resolve();
      for (const answer of await Promise.all(asked)) {
        expect(await eventsOf(answer)).toContainEqual({ type: 'finish', reason: 'content_filter' });
      }
      expect(state.calls).toBe(words.length === 0 ? 2 : 1);
    }
  });

  it('keep its answer where their deadline has passed, or they alone are left', async () => {
    let now = 0;
    const { provider, state } = puppet('p', ['a'], 'content_filter');
    const go = Promise.withResolvers<void>();
    state.go = go.promise;
    const gateway = await open(
      { models: [priced()] },
      { providers: [provider], clock: { now: () => now } },
    );
    const ask = (more: object) =>
      gateway.generate({ ...same, stream: false }, callerOf({ arrivedAt: 0, ...more }));
    const asked = [ask({}), ask({ deadline: 60_000 })];
    await vi.waitFor(() => expect(state.calls).toBe(1), { timeout: 30_000 });
    now = 60_000;
    go.resolve();
    for (const answer of await Promise.all(asked)) {
      expect(textOf(await eventsOf(answer))).toBe('a');
    }
    expect(state.calls).toBe(1);

    const later = Promise.withResolvers<void>();
    state.go = later.promise;
    now = 0;
    const gone = new AbortController();
    const [leaving, staying] = [ask({ signal: gone.signal }), ask({})];
    await vi.waitFor(() => expect(state.calls).toBe(2), { timeout: 30_000 });
    gone.abort(new Error('left'));
    await expect(leaving).rejects.toThrow('left');
    later.resolve();
    const answer = await staying;
    expect(textOf(await eventsOf(answer))).toBe('a');
    expect(answer.receipt()).toMatchObject({ cache: 'joined', costUsd: 0.00003 });
    expect(state.calls).toBe(2);
  });
});
