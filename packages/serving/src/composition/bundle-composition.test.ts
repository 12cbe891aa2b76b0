/** A composition as one artifact: what is in it, what stays outside, and that it runs without its files. */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openFileArtifacts, openSqliteState, type State } from '@skein/state';
import { createRegistry } from '../registry/registry.ts';
import { bundleComposition } from './bundle-composition.ts';
import { describeComposition } from './describe-composition.ts';

let root: string;
let folder: string;
let state: State;
const file = async (name: string, text: string): Promise<void> => {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
};
beforeEach(async () => {
  root = testFolder();
  folder = join(root, 'project');
  state = await openSqliteState(':memory:');
  await file(
    'main.ts',
    `import { readFileSync } from 'node:fs';
     import { tensor } from '@skein/onnx';
     import { SkeinError } from '@skein/api';
     import { scale } from './lib/scale.ts';
     import type { Never } from './lib/types-only.ts';
     void readFileSync; void SkeinError; void tensor;
     const x = [{ name: 'x', type: 'float32', shape: [1] }];
     export const composition = {
       inputs: x, outputs: [{ name: 'y', type: 'float32', shape: [scale] }], calls: [],
       run: async (inputs: Never) => inputs,
     };`,
  );
  await file('lib/scale.ts', `export { factor as scale } from '../factor.js';`);
  await file(
    'factor.js',
    `import table from './table.json' with { type: 'json' }; import './lib/scale.ts';
     import words from './words.txt'; import { length } from 'pkg';
     export const factor = table.factor + length(words);`,
  );
  await file('table.json', '{"factor": 3}');
  await file('words.txt', 'ab');
  await file('lib/types-only.ts', 'export type Never = never;');
  await file('node_modules/pkg/package.json', '{"name": "pkg", "main": "index.js"}');
  await file(
    'node_modules/pkg/index.js',
    `const { sep } = require('path'); require('./inner.js'); exports.length = (text) => text.length + sep.length - 1;`,
  );
  await file('node_modules/pkg/inner.js', '');
});
afterEach(() => state.close());
const registryIn = async (name: string) =>
  createRegistry({
    state,
    artifacts: await openFileArtifacts(join(root, name)),
    limits: { maxModelBytes: 1024 },
    describeComposition,
  });

describe('a composition', () => {
  it('is loaded from its artifact after its files are gone: imports, data, and a CommonJS package', async () => {
    const registry = await registryIn('artifacts');
    const version = await registry.importComposition('scale', join(folder, 'main.ts'), {});
    await rm(folder, { recursive: true });
    const found = await describeComposition(await registry.pathOf(version));
    expect(found.signature.outputs[0]!.shape).toEqual([5]);
    await registry.removeOrphans();
    await registry.pathOf(version);
  });

  it('is the same version wherever equal files lie, and another after any change', async () => {
    const registry = await registryIn('artifacts');
    const first = await registry.importComposition('scale', join(folder, 'main.ts'), {
      author: 'me',
    });
    const copy = join(root, 'a/copy/elsewhere');
    await cp(folder, copy, { recursive: true });
    expect(await registry.importComposition('scale', join(copy, 'main.ts'), {})).toEqual(first);
    await file('unrelated.ts', 'export const nothing = 1;');
    expect(await registry.importComposition('scale', join(folder, 'main.ts'), {})).toEqual(first);
    for (const [index, [name, text]] of [
      ['table.json', '{"factor": 4}'],
      ['words.txt', 'abc'],
      ['node_modules/pkg/inner.js', 'exports.changed = 1;'],
    ].entries()) {
      await file(name!, text!);
      const next = await registry.importComposition('scale', join(folder, 'main.ts'), {});
      expect(next.version).toBe(String(index + 2));
    }
  });

  it.each([
    ['a syntax error', 'factor.js', 'export const factor = ;', /factor\.js:1:23: /],
    [
      'an import that is not there',
      'factor.js',
      `\nimport './ghost.ts';`,
      /factor\.js:2:8: .*ghost/,
    ],
    ['a package that is not there', 'lib/scale.ts', `import 'ghost';`, /scale\.ts:1:8: .*"ghost"/],
    ['a missing export', 'lib/scale.ts', `export const other = 1;`, /main\.ts:4:15: .*"scale"/],
    ['a binary', 'factor.js', `import './table.node';`, /factor\.js:1:8: /],
  ])('with %s is refused with file and line', async (_, name, text, message) => {
    await file(name, text);
    await file('table.node', '');
    await expect(bundleComposition(join(folder, 'main.ts'))).rejects.toMatchObject({
      code: 'COMPOSITION_INVALID',
      message: expect.stringMatching(message) as string,
    });
  });

  it('leaves packages with native code outside, and names them when a node does not have them', async () => {
    await file('node_modules/fast/package.json', '{"name": "fast", "gypfile": true}');
    await file('node_modules/fast/index.js', 'exports.fast = 1;');
    await file(
      'factor.js',
      `import sharp from 'sharp'; import 'fast'; export const factor = typeof sharp;`,
    );
    await file(
      'node_modules/sharp/package.json',
      '{"name": "sharp", "optionalDependencies": {"@img/sharp-linux-x64": "1"}}',
    );
    await file('node_modules/sharp/index.js', 'module.exports = 1;');
    const { nativePackages } = await bundleComposition(join(folder, 'main.ts'));
    expect(nativePackages).toEqual(['fast', 'sharp']);
    const registry = await registryIn('artifacts');
    await expect(
      registry.importComposition('scale', join(folder, 'main.ts'), {}),
    ).rejects.toMatchObject({
      code: 'COMPOSITION_INVALID',
      message: expect.stringContaining('"fast" is installed neither with Skein nor in') as string,
    });
    // A refused module leaves nothing behind.
    expect(await registry.versions()).toEqual([]);
    await file('factor.js', `import sharp from 'sharp'; export const factor = typeof sharp;`);
    const version = await registry.importComposition('scale', join(folder, 'main.ts'), {});
    expect(version.metadata).toEqual({ packages: 'sharp' });
    // The package that is installed with Skein, and not the project's.
    const found = await describeComposition(await registry.pathOf(version));
    expect(found.signature.outputs[0]!.shape).toEqual(['function']);
  });
});
