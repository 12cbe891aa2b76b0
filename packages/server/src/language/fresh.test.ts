/** Declarations that another node of the fleet has changed, at the first request after a pause. */
import { LanguageModel, LanguageProvider, Redaction } from '@skein/api';
import { openFaultyUpstream } from '@skein/generative/faulty-upstream';
import type { Gateway } from '@skein/generative';
import { openState, type State } from '@skein/state';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createLanguageModels, type LanguageModels } from './language-models.ts';
import { countLanguageUse } from './use.ts';

const HOUR_MS = 3_600_000;
const logger = { error() {}, warn() {}, debug() {} };

function nodeOver(state: State): LanguageModels {
  const node = createLanguageModels({
    state,
    use: countLanguageUse(state, logger),
    weightOf: () => 1,
    embed: () => undefined,
    logger,
    traced: (gateway) => gateway,
  });
  onTestFinished(() => node.close());
  return node;
}

function afterAnHour(): void {
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + HOUR_MS);
  onTestFinished(() => void vi.restoreAllMocks());
}

const budgetsOf = async (node: LanguageModels) =>
  (await (await node.gateway()).view()).budgets.map(({ subject }) => subject);

test('hold for it, and for the requests with it', async () => {
  const state = await openState(':memory:');
  onTestFinished(() => state.close());
  const [one, two] = [nodeOver(state), nodeOver(state)];
  expect(await budgetsOf(two)).toEqual([]);
  await one.declarations.putBudget({ subject: 'tenant:a', tokens: 10, period: 'day' });
  afterAnHour();
  const seen = await Promise.all([budgetsOf(two), budgetsOf(two), budgetsOf(two)]);
  expect(seen).toEqual([['tenant:a'], ['tenant:a'], ['tenant:a']]);
});

test('do not hold it up while the store does not answer', async () => {
  const state = await openState(':memory:');
  onTestFinished(() => state.close());
  let answer = () => state.declarations();
  const node = nodeOver({ ...state, declarations: () => answer() });
  expect(await budgetsOf(node)).toEqual([]);
  afterAnHour();
  const end = Promise.withResolvers<never>();
  const silent = vi.fn(() => end.promise);
  answer = silent;
  // The first waits for a moment, and those after it for nothing.
  expect(await budgetsOf(node)).toEqual([]);
  expect(await Promise.all([budgetsOf(node), budgetsOf(node)])).toEqual([[], []]);
  expect(silent).toHaveBeenCalledOnce();
  end.reject(new Error('away'));
});

test('change while a request is read: it is answered by the gateway that is open then', async () => {
  const state = await openState(':memory:');
  onTestFinished(() => state.close());
  const node = nodeOver(state);
  const { declarations } = node;
  const upstream = await openFaultyUpstream();
  onTestFinished(() => upstream.close());
  const baseUrl = upstream.baseUrl('openai', 'none');
  await declarations.putProvider(LanguageProvider.parse({ name: 'p', kind: 'openai', baseUrl }));
  const routes = [{ provider: 'p', model: 'x' }];
  await declarations.putModel(LanguageModel.parse({ name: 'm', routes, ttftMs: 20_000 }));
  const gateway = await node.gateway();
  await declarations.putBudget({ subject: 'all', tokens: 100_000, period: 'day' });
  const signal = new AbortController().signal;
  const arrivedAt = performance.now();
  const caller = { requestId: 'r', tenant: 'a', arrivedAt, priority: 0, signal };
  const messages = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }];
  const answer = await gateway.generate({ model: 'm', messages, stream: false }, caller);
  for await (const _ of answer.events);
  expect(answer.receipt()).toMatchObject({ provider: 'p' });
  const { vectors } = await gateway.embed({ model: 'm', inputs: ['hi'] }, caller);
  expect(vectors).toHaveLength(1);
  // The budget that is in force has counted it.
  expect((await node.view()).budgets[0]!.taken).toBeGreaterThan(0);
});

/** A node with a model over an upstream, and how it is asked. */
async function withUpstream() {
  const state = await openState(':memory:');
  onTestFinished(() => state.close());
  const node = nodeOver(state);
  const upstream = await openFaultyUpstream();
  onTestFinished(() => upstream.close());
  const baseUrl = upstream.baseUrl('openai', 'none');
  const declare = (name: string) =>
    node.declarations.putProvider(LanguageProvider.parse({ name, kind: 'openai', baseUrl }));
  const routeTo = (provider: string) => {
    const routes = [{ provider, model: 'x' }];
    return node.declarations.putModel(LanguageModel.parse({ name: 'm', routes, ttftMs: 20_000 }));
  };
  await declare('p');
  await routeTo('p');
  async function ask(gateway: Gateway, text: string) {
    const arrivedAt = performance.now();
    const signal = new AbortController().signal;
    const caller = { requestId: 'r', tenant: 'a', arrivedAt, priority: 0, signal };
    const messages = [{ role: 'user' as const, content: [{ type: 'text' as const, text }] }];
    const answer = await gateway.generate({ model: 'm', messages, stream: false }, caller);
    for await (const _ of answer.events);
    return answer;
  }
  return { node, upstream, ask, declare, routeTo };
}

const secret = (pattern: string) =>
  Redaction.parse({ name: 'secret', pattern, of: 'prompts', replacement: '~' });

test('redact a request that was read while they changed', async () => {
  const { node, upstream, ask } = await withUpstream();
  const gateway = await node.gateway();
  await node.declarations.putRedaction(secret('ulm'));
  const { sent } = await ask(gateway, 'from ulm');
  expect(JSON.stringify(upstream.bodies)).toContain('from ~');
  expect(sent?.messages[0]?.content).toEqual([{ type: 'text', text: 'from ~' }]);
});

test('that change while a request is redacted do not send it: what is new there may not see it', async () => {
  const { node, ask, declare, routeTo } = await withUpstream();
  await node.declarations.putRedaction(secret('berlin'));
  // Searched in many turns of the event loop.
  const asked = ask(await node.gateway(), 'from ulm '.repeat(100_000));
  await node.declarations.putRedaction(secret('ulm'));
  await declare('stranger');
  await routeTo('stranger');
  expect((await asked).receipt()).toMatchObject({ provider: 'p' });
});
