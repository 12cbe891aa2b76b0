/** A declared model of this machine: how often it is loaded. */
import { LanguageProvider } from '@skein/api';
import { writeExampleModel } from '@skein/generative/model-files';
import { openState, type State } from '@skein/state';
import { expect, onTestFinished, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openLocal } from '../../../generative/src/local/kinds.ts';
import type { LocalProvider } from '../../../generative/src/local/provider.ts';
import { createLanguageModels } from './language-models.ts';
import { countLanguageUse } from './use.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

test('a provider that is declared keeps the process that was opened to try it', async () => {
  const folder = testFolder();
  await writeExampleModel(folder);
  const provider = LanguageProvider.parse({ name: 'here', kind: 'onnx', path: folder });
  /** The id of the process that has the model open now. */
  async function pid(): Promise<number> {
    const shared = (await openLocal(provider)) as LocalProvider;
    const state = await shared.state();
    await shared.close();
    return state.pid;
  }
  const state = await openState(':memory:');
  onTestFinished(() => state.close());
  const tried: number[] = [];
  const watched: State = {
    ...state,
    async putDeclaration(record) {
      tried.push(await pid());
      await state.putDeclaration(record);
    },
  };
  const models = createLanguageModels({
    state: watched,
    use: countLanguageUse(state, quiet),
    weightOf: () => 1,
    embed: () => undefined,
    logger: quiet,
    traced: (gateway) => gateway,
  });
  onTestFinished(() => models.close());
  await models.declarations.putProvider(provider);
  expect([await pid()]).toEqual(tried);
});
