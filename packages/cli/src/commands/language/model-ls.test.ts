/** Output of the commands of language models, from answers as a node sends them. */
import { LanguageSettings, type LanguageView } from '@skein/api';
import { expect, it } from 'vitest';
import { PLAIN } from '../../output/style.ts';
import { modelLs, modelPut } from './language-model.ts';

it('shows what a provider was used for once, however many routes lead to it', () => {
  const used = { failed: 1, cacheHits: 0, inputTokens: 30, outputTokens: 5, tokensPerSecond: 0 };
  const view: LanguageView = {
    settings: LanguageSettings.parse({
      providers: [
        { name: 'own', kind: 'openai', baseUrl: 'http://127.0.0.1:9' },
        { name: 'other', kind: 'openai', baseUrl: 'http://127.0.0.1:9' },
      ],
      models: [
        {
          name: 'm',
          routes: [
            { provider: 'own', model: 'large' },
            { provider: 'other', model: 'x' },
            { provider: 'own', model: 'small' },
          ],
        },
      ],
    }),
    models: [],
    use: [{ model: 'm', provider: 'own', requests: 7, costUsd: 0.5, ...used }],
    budgets: [],
    rollouts: [],
    redactions: [],
  };
  const lines = modelLs.render(view, PLAIN).split('\n');
  expect(lines.filter((line) => line.includes('own='))).toEqual([
    expect.stringMatching(/^m +own=large, own=small .* 7 +1 +30 +5 +\$0\.5000$/),
  ]);
  expect(lines.filter((line) => line.includes('other=x'))).toHaveLength(1);
});

it('warns of problems that a provider reports of a declared model', () => {
  const routes = [{ provider: 'up', model: 'big' }];
  const problem = { code: 'PROVIDER_DENIED', message: 'It refuses.', fix: 'Correct the secret.' };
  const text = modelPut.render({ name: 'm', routes, problems: [problem] }, PLAIN);
  expect(text.split('\n')).toEqual([
    expect.stringMatching(/m is a model: big at up\.$/),
    '! PROVIDER_DENIED: It refuses. Correct the secret.',
  ]);
});
