/** Declarations that another node of the fleet has changed, at the first request after a pause. */
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

test('hold for it, and for those beside it', async () => {
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
