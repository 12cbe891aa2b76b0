/** The files of a composition, by a real import; a change of any of them makes another version. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openFileArtifacts, openSqliteState, type State } from '@skein/state';
import { createRegistry } from '../registry/registry.ts';
import { describeComposition } from './describe-composition.ts';

let folder: string;
let state: State;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-modules-'));
  state = await openSqliteState(':memory:');
  await mkdir(join(folder, 'lib/node_modules/pkg'), { recursive: true });
  const file = (name: string, text: string) => writeFile(join(folder, name), text);
  await file(
    'main.ts',
    `import { readFileSync } from 'node:fs';
     import { scale } from './lib/scale.ts';
     import type { Never } from './lib/types-only.ts';
     void readFileSync;
     const tensors = [{ name: 'x', type: 'float32', shape: [1] }];
     export const composition = {
       inputs: tensors, outputs: [{ name: 'y', type: 'float32', shape: [scale] }], calls: [],
       run: async (inputs: Never) => inputs,
     };`,
  );
  await file('lib/scale.ts', `export { factor as scale } from '../factor.js'; import 'pkg';`);
  await file(
    'factor.js',
    `import table from './table.json' with { type: 'json' }; import './lib/scale.ts'; export const factor = table.factor;`,
  );
  await file('table.json', '{"factor": 3}');
  await file('lib/types-only.ts', 'export type Never = never;');
  await file('lib/node_modules/pkg/index.js', `import './inner.js';`);
  await file('lib/node_modules/pkg/inner.js', '');
  await file('unrelated.ts', 'export const nothing = 1;');
});
afterEach(async () => {
  await state.close();
  await rm(folder, { recursive: true });
});

it('are the files that it imports by relative paths, cyclic imports too, and no package', async () => {
  const { files, signature } = await describeComposition(join(folder, 'main.ts'));
  expect(files.toSorted()).toEqual(
    ['factor.js', 'lib/scale.ts', 'main.ts', 'table.json'].map((name) => join(folder, name)),
  );
  expect(signature.outputs[0]!.shape).toEqual([3]);
});

it('define the version: a change of any of them makes another one, a change of other files does not', async () => {
  const registry = createRegistry({
    state,
    artifacts: await openFileArtifacts(join(folder, 'artifacts')),
    limits: { maxModelBytes: 1024 },
    describeComposition,
  });
  const path = join(folder, 'main.ts');
  const first = await registry.importComposition('scale', path, { author: 'me', imports: 'no' });
  expect(first.metadata).toEqual({
    author: 'me',
    imports: '["factor.js","lib/scale.ts","table.json"]',
  });
  await writeFile(join(folder, 'unrelated.ts'), '');
  expect(await registry.importComposition('scale', path, {})).toEqual(first);
  expect(await registry.pathOf(first)).toBe(path);

  await writeFile(join(folder, 'table.json'), '{"factor": 4}');
  await expect(registry.pathOf(first)).rejects.toMatchObject({
    code: 'COMPOSITION_INVALID',
    message: expect.stringContaining('table.json') as string,
  });
  const second = await registry.importComposition('scale', path, {});
  expect([second.version, second.signature.outputs[0]!.shape]).toEqual(['2', [4]]);
  expect(await registry.pathOf(second)).toBe(path);

  await rm(join(folder, 'factor.js'));
  await expect(registry.pathOf(second)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
});
