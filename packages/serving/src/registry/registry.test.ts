import { hash } from 'node:crypto';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeploymentSettings, SkeinError } from '@skein/api';
import { GraphBuilder, mlp, readModel, tensor, writeModel } from '@skein/onnx';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openFileArtifacts, openSqliteState, type State } from '@skein/state';
import { scikitClassifier } from '../../../onnx/src/testing/scikit-classifier.ts';
import { mountTinyDisk, tinyDisk } from '../../../state/src/testing/tiny-disk.ts';
import { createRegistry } from './registry.ts';

let folder: string;
let state: State;
let registry: ReturnType<typeof createRegistry>;
const stored = () => readdir(join(folder, 'artifacts'));

async function open(root: string): Promise<ReturnType<typeof createRegistry>> {
  return createRegistry({
    state,
    artifacts: await openFileArtifacts(join(root, 'artifacts')),
    limits: { maxModelBytes: 32 * 1024 * 1024 },
    async describeComposition(path) {
      if (!(await readFile(path, 'utf8')).includes('composition')) {
        throw new SkeinError('COMPOSITION_INVALID', `${path} exports no composition.`);
      }
      return { signature: { inputs: [], outputs: [] }, calls: ['detect', 'recognise'] };
    },
  });
}
beforeEach(async () => {
  folder = testFolder();
  state = await openSqliteState(':memory:');
  registry = await open(folder);
});
afterEach(() => state.close());

async function* stream(bytes: Uint8Array, size = 50_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
const small = writeModel(mlp({ sizes: [4, 8, 2], seed: 1 }));
const importBytes = (bytes: Uint8Array, model = 'risk') =>
  registry.importModel(model, stream(bytes), { source: 'test' });

describe('importing a model', () => {
  it('stores it, reads its signature and numbers it', async () => {
    const version = await importBytes(small);
    expect(version).toMatchObject({
      model: 'risk',
      version: '1',
      kind: 'onnx',
      sizeBytes: small.byteLength,
      signature: {
        inputs: [{ type: 'float32', shape: ['batch', 4] }],
        outputs: [{ type: 'float32', shape: ['batch', 2] }],
      },
      metadata: { source: 'test' },
    });
    expect(version.metadata['opset']).toMatch(/^\d+$/);
    expect(await readFile(await registry.pathOf(version))).toEqual(Buffer.from(small));
    expect(await registry.version('risk', '1')).toEqual(version);
    expect(await registry.versions('risk')).toEqual([version]);
  });

  it('returns the existing version for the same bytes, and shares them between models', async () => {
    const first = await importBytes(small);
    expect(await importBytes(small)).toEqual(first);
    expect((await importBytes(small, 'other')).version).toBe('1');
    expect(await stored()).toEqual([first.digest]);
  });

  it('serves a rewritten file, and recognises the uploaded one by its digest', async () => {
    const uploaded = writeModel(scikitClassifier('forest', ['a', 'b', 'c']));
    const version = await importBytes(uploaded);
    expect(version).toMatchObject({
      signature: { outputs: [{ name: 'output_label' }, { type: 'float32', shape: [null, 3] }] },
      metadata: { labels: '["a","b","c"]', uploadedDigest: hash('sha256', uploaded) },
    });
    const served = await readFile(await registry.pathOf(version));
    expect(hash('sha256', served)).toBe(version.digest);
    expect(await importBytes(uploaded)).toEqual(version);
    expect(await importBytes(served)).toEqual(version);
    expect(await stored()).toEqual([version.digest]);
    await registry.removeVersion('risk', '1');
    expect(await stored()).toEqual([]);
  });

  it('does not let the metadata of an upload claim the digest of another file', async () => {
    const other = writeModel(mlp({ sizes: [4, 2], seed: 1 }));
    const claimed = { uploadedDigest: hash('sha256', other) };
    await registry.importModel('risk', stream(small), claimed);
    expect((await importBytes(other)).version).toBe('2');
  });

  it('numbers concurrent imports of one model', async () => {
    const models = [1, 2, 3, 4].map((seed) => writeModel(mlp({ sizes: [4, 8, 2], seed })));
    const versions = await Promise.all(models.map((bytes) => importBytes(bytes)));
    expect(versions.map((each) => each.version).sort()).toEqual(['1', '2', '3', '4']);
  });

  it('reads a large model in its own thread, while this one continues', async () => {
    const graph = new GraphBuilder('wide');
    graph.input('x', 'float32', ['batch', 1]);
    let name = 'x';
    for (let node = 0; node < 60_000; node += 1) name = graph.node('Identity', [name])[0];
    graph.node('Identity', [name], {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['batch', 1]);
    const large = writeModel(graph.model());
    expect(large.byteLength).toBeGreaterThan(1 << 20);
    expect((await importBytes(large)).signature.outputs[0]?.name).toBe('y');
    const cut = large.subarray(0, large.byteLength - 10);
    await expect(importBytes(cut)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' });
    expect(await stored()).toHaveLength(1);
  });

  it('refuses a file that is not a model, and keeps nothing of it', async () => {
    const files: Uint8Array[] = [
      new Uint8Array(),
      Buffer.from('{"model": "no"}'),
      Buffer.from('PK\x03\x04 a checkpoint', 'latin1'),
      small.subarray(0, small.byteLength - 1),
      small.subarray(0, 30),
      new Uint8Array(5000).fill(0xff),
    ];
    for (const bytes of files) {
      await expect(importBytes(bytes)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' });
    }
    expect(await stored()).toEqual([]);
    expect(await registry.versions()).toEqual([]);
  });

  it('answers any damage with a version or a coded refusal, never a fault', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(small.byteLength - 1),
        fc.nat(255),
        fc.integer({ min: 1, max: small.byteLength }),
        async (position, value, length) => {
          const damaged = small.slice();
          damaged[position] = value;
          try {
            await importBytes(damaged.subarray(0, length), 'fuzz');
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^MODEL_/) as string });
          }
        },
      ),
      { numRuns: 100 },
    );
    const kept = new Set((await registry.versions()).map((version) => version.digest));
    expect(new Set(await stored())).toEqual(kept);
  });

  it('names the operator set that is too new', async () => {
    const model = mlp({ sizes: [4, 8, 2], seed: 1 });
    for (const each of model.opsetImport) each.version = 999n;
    await expect(importBytes(writeModel(model))).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('999') as string,
    });
    expect(await stored()).toEqual([]);
  });

  it('names the operator that does not exist', async () => {
    const model = mlp({ sizes: [4, 8, 2], seed: 1 });
    for (const node of model.graph?.node ?? []) {
      if (node.opType === 'Relu') node.opType = 'Frobnicate';
    }
    await expect(importBytes(writeModel(model))).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('Frobnicate') as string,
    });
    expect(await stored()).toEqual([]);
  });

  it('names the missing weight file', async () => {
    // Field 14, metadata_props, has the type of an entry of external_data.
    const entry = Buffer.from('\x72\x17\x0a\x08location\x12\x0bweights.bin', 'latin1');
    const model = readModel(Buffer.concat([small, entry]));
    const weight = model.graph?.initializer[0];
    if (!weight) throw new Error('the model has weights');
    const EXTERNAL = 1;
    Object.assign(weight, {
      externalData: model.metadataProps.splice(0),
      dataLocation: EXTERNAL,
      rawData: new Uint8Array(),
    });
    await expect(importBytes(writeModel(model))).rejects.toMatchObject({
      code: 'MODEL_EXTERNAL_DATA',
      message: expect.stringContaining("'weights.bin'") as string,
    });
    expect(await stored()).toEqual([]);
  });

  it('refuses a file over the limit', async () => {
    const endless = (async function* () {
      for (;;) yield new Uint8Array(1 << 20);
    })();
    await expect(registry.importModel('risk', endless, {})).rejects.toMatchObject({
      code: 'BODY_TOO_LARGE',
    });
    expect(await stored()).toEqual([]);
  });

  it.each(['', 'UPPER', '../x', 'a/b', '-a', 'a'.repeat(64)])(
    'refuses the name "%s"',
    async (name) => {
      await expect(importBytes(small, name)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      await expect(registry.importComposition(name, 'x', {})).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });
    },
  );
});

describe('importing a composition', () => {
  it('stores its module as an artifact, and returns the existing version for the same one', async () => {
    const path = join(folder, 'ocr.ts');
    await writeFile(path, 'export const composition = 1;');
    const version = await registry.importComposition('ocr', path, {});
    expect(version).toMatchObject({
      kind: 'composition',
      version: '1',
      metadata: { calls: 'detect, recognise' },
    });
    expect(await registry.importComposition('ocr', path, {})).toEqual(version);
    await rm(path);
    expect(await readFile(await registry.pathOf(version), 'utf8')).toContain('composition = 1');
    expect(await stored()).toEqual([version.digest]);
    await writeFile(path, 'export const composition = 2;');
    expect((await registry.importComposition('ocr', path, {})).version).toBe('2');
  });

  it('refuses a file that is not a module, or is missing, and keeps nothing of it', async () => {
    const path = join(folder, 'x.ts');
    await expect(registry.importComposition('x', path, {})).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    });
    await expect(registry.importComposition('x', folder, {})).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    });
    await writeFile(path, 'export const other = 1;');
    await expect(registry.importComposition('x', path, {})).rejects.toMatchObject({
      code: 'COMPOSITION_INVALID',
    });
    expect(await registry.versions()).toEqual([]);
    expect(await stored()).toEqual([]);
  });
});

describe('versions', () => {
  it('distinguishes an unknown model from an unknown version', async () => {
    await importBytes(small);
    await expect(registry.version('ghost', '1')).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
    await expect(registry.version('risk', '2')).rejects.toMatchObject({ code: 'VERSION_UNKNOWN' });
  });

  it('are removed with their bytes, unless another version has the same', async () => {
    const first = await importBytes(small);
    await importBytes(small, 'other');
    await registry.removeVersion('risk', '1');
    expect(await stored()).toEqual([first.digest]);
    await registry.removeVersion('other', '1');
    expect(await stored()).toEqual([]);
    await expect(registry.removeVersion('risk', '1')).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
  });

  it('are kept while they take traffic', async () => {
    await importBytes(small);
    await state.putDeployment(
      {
        name: 'risk',
        settings: DeploymentSettings.parse({}),
        targets: [{ version: '1', weight: 0 }],
      },
      0,
    );
    await expect(registry.removeVersion('risk', '1')).rejects.toMatchObject({
      code: 'VERSION_IN_USE',
    });
    expect(await stored()).toHaveLength(1);
  });

  it('leave no orphans behind after a crash between storing and recording', async () => {
    const version = await importBytes(small);
    await writeFile(join(folder, 'artifacts', '0'.repeat(64)), 'stored, never recorded');
    await registry.removeOrphans();
    expect(await stored()).toEqual([version.digest]);
  });

  it('are not served once their bytes have changed', async () => {
    const version = await importBytes(small);
    const path = await registry.pathOf(version);
    await rm(path);
    await writeFile(path, small.subarray(1));
    await expect(registry.pathOf(version)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
    await importBytes(small);
    expect(await registry.pathOf(version)).toBe(path);
  });
});

describe.skipIf(tinyDisk.skip)(`a full disk while a version is stored ${tinyDisk.reason}`, () => {
  it('refuses the version and keeps the others', async () => {
    using disk = mountTinyDisk('size=128k');
    registry = await open(disk.folder);
    const first = await importBytes(small);
    const graph = new GraphBuilder('heavy');
    const x = graph.input('x', 'float32', ['batch', 50_000]);
    const w = graph.initializer('w', tensor('float32', [50_000], new Float32Array(50_000)));
    graph.node('Add', [x, w], {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['batch', 50_000]);
    const heavy = writeModel(graph.model());
    await expect(importBytes(heavy)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await registry.versions()).toEqual([first]);
    expect(await readdir(join(disk.folder, 'artifacts'))).toEqual([first.digest]);
    expect(await readFile(await registry.pathOf(first))).toEqual(Buffer.from(small));
  });
});
