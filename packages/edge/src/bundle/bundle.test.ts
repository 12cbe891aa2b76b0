/** A bundle: packed, signed, read back, and refused when anything of it is another. */
import { sha256, utf8 } from '@skein/api/canonical';
import { nativeRuntime } from '@skein/runtime';
import { tensor } from '@skein/onnx';
import { beforeAll, describe, expect, it } from 'vitest';
import { deviceOf } from '../trust/testing/publisher.ts';
import { isChunk, joinChunks, readChunk, splitFile } from './files.ts';
import {
  givenInputs,
  goldenFault,
  measureGolden,
  parseGolden,
  recordGolden,
  seededInputs,
} from './golden.ts';
import { CHUNK_BYTES, parseManifest, readManifest, variantFor, type Manifest } from './manifest.ts';
import {
  retrained,
  smallModel,
  smallPublisher,
  type SmallPublisher,
} from './testing/small-bundle.ts';
import type { Bytes } from '../trust/source.ts';

let publisher: SmallPublisher;
let manifest: Manifest;
const MODEL = smallModel(1);

beforeAll(async () => {
  publisher = await smallPublisher();
  ({ manifest } = await publisher.pack(MODEL, {
    preprocessing: { x: { scale: 255, layout: 'NC' } },
    offload: { allowed: true, deadlineMs: 500 },
  }));
});

const manifestNow = async () => {
  const { targets } = await deviceOf(publisher.root).refresh(publisher.place);
  return readManifest(publisher.place, targets, 'risk');
};
const fileOf = async (path: string): Promise<Bytes> => {
  const file = manifest.files[path]!;
  const chunks = await Promise.all(file.chunks.map((each) => readChunk(publisher.place, each)));
  return joinChunks(path, file, chunks);
};
const open = (bytes: Bytes) =>
  nativeRuntime.open({ bytes: bytes.slice() }, { device: 'cpu', threads: 1, isolation: 'thread' });

describe('a packed bundle', () => {
  it('is read back through its signatures, whole', async () => {
    expect((await manifestNow()).manifest).toEqual(manifest);
    expect(await fileOf('fp32/model.onnx')).toEqual(MODEL);
    expect(manifest).toMatchObject({
      schema: 1,
      version: 1,
      parent: null,
      licence: 'Apache-2.0',
      runtime: { least: '1.30.0', tested: '1.30.0' },
      offload: { allowed: true, deadlineMs: 500 },
      provenance: {
        source: { name: 'risk.onnx', sha256: await sha256(MODEL), length: MODEL.length },
      },
      inputs: [{ name: 'x', type: 'float32', preprocessing: { scale: 255, layout: 'NC' } }],
      outputs: [{ name: 'y' }],
    });
    const bom = JSON.parse(new TextDecoder().decode(await fileOf('sbom.json'))) as {
      components: { type: string; hashes?: { content: string }[] }[];
    };
    expect(bom.components[0]).toMatchObject({
      type: 'machine-learning-model',
      hashes: [{ content: await sha256(MODEL) }],
    });
  });

  it('has a measured cost and a tolerance on each backend', () => {
    const [variant] = manifest.variants;
    for (const backend of ['native', 'wasm'] as const) {
      expect(variant!.backends[backend]!.cost.p50Ms).toBeGreaterThan(0);
      expect(variant!.backends[backend]!.tolerance).toEqual({ relative: 1e-3, decisions: 0 });
      expect(variantFor(manifest, backend)).toEqual(variant);
    }
  });

  it('lists deltas from the last two versions, and none that saves nothing', async () => {
    const other = await smallPublisher();
    const first = smallModel(1, 3000);
    const models = [first, retrained(first, 2), retrained(first, 3), retrained(first, 4)];
    for (const model of models.slice(0, 3)) await other.pack(model);
    const packed = await other.pack(models[3]!);
    const file = packed.manifest.files['fp32/model.onnx']!;
    expect(file.deltas!.map(({ from }) => from)).toEqual([
      await sha256(models[2]!),
      await sha256(models[1]!),
    ]);
    expect(packed.updates.map(({ from }) => from)).toEqual([3, 2]);
    for (const { wireBytes } of packed.updates) {
      expect(wireBytes).toBeLessThan(packed.wireBytes['fp32']! * 0.7);
    }
    const again = await other.pack(models[3]!);
    const golden = again.manifest.files['fp32/golden.json']!;
    expect(again.updates).toEqual([
      { variant: 'fp32', from: 4, wireBytes: golden.chunks[0]!.length },
      { variant: 'fp32', from: 3, wireBytes: packed.updates[0]!.wireBytes },
    ]);
    const unlike = await other.pack(smallModel(9, 3000));
    expect(unlike.updates).toEqual([]);
    expect(unlike.leftOut).toEqual(
      [5, 4].map((version) =>
        expect.stringMatching(
          new RegExp(`^delta of fp32 from version ${version}: it would have \\d+ % of the bytes`),
        ),
      ),
    );
    expect(unlike.manifest.files['fp32/model.onnx']).not.toHaveProperty('deltas');
  });

  it('has no delta from a version whose chunks are gone, with the reason', async () => {
    const other = await smallPublisher();
    const first = smallModel(1, 3000);
    const { manifest } = await other.pack(first);
    const [chunk] = manifest.files['fp32/model.onnx']!.chunks;
    other.place.files.delete(`chunks/${chunk!.sha256}`);
    const packed = await other.pack(retrained(first, 2));
    expect(packed).toMatchObject({
      updates: [],
      leftOut: [`delta of fp32 from version 1: memory has no chunks/${chunk!.sha256}.`],
    });
  });

  it('counts its versions up, and names the one before', async () => {
    const other = await smallPublisher();
    const first = await other.pack(MODEL);
    const second = await other.pack(smallModel(2));
    expect(second.manifest).toMatchObject({ version: 2, parent: first.digest });
    await other.pack(smallModel(3), { name: 'churn' });
    const { targets } = await deviceOf(other.root).refresh(other.place);
    expect([...targets.keys()].toSorted()).toEqual(['churn.json', 'risk.json']);
    await expect(readManifest(other.place, targets, 'fraud')).rejects.toMatchObject({
      code: 'EDGE_BUNDLE_UNKNOWN',
      message: expect.stringContaining('it has risk, churn'),
    });
  });

  it('has no variant that is slower everywhere, nor chooses one that is slower there', async () => {
    const other = await smallPublisher();
    const large = smallModel(1, 200_000);
    const variants = [
      { name: 'fp32', model: MODEL },
      { name: 'large', model: large },
    ];
    const packed = await other.pack(MODEL, { variants });
    expect(packed.leftOut).toEqual(['large: it is slower than fp32 on every backend']);
    expect(packed.manifest.variants.map(({ name }) => name)).toEqual(['fp32']);
    const [variant] = packed.manifest.variants;
    const both = {
      ...packed.manifest,
      variants: [
        variant!,
        {
          ...variant!,
          name: 'int8',
          backends: {
            native: { ...variant!.backends.native!, cost: { p50Ms: 0, runs: 1, machine: '' } },
          },
        },
      ],
    };
    expect([variantFor(both, 'native').name, variantFor(both, 'wasm').name]).toEqual([
      'int8',
      'fp32',
    ]);
  });
});

describe('golden vectors', () => {
  it('pass for the same model, and not for one other weight', async () => {
    const vectors = parseGolden(await fileOf('fp32/golden.json'));
    const allowed = manifest.variants[0]!.backends.native!.tolerance;
    const same = await open(MODEL);
    expect(goldenFault(await measureGolden(same, vectors), allowed)).toBeUndefined();
    const other = await open(smallModel(2));
    expect(goldenFault(await measureGolden(other, vectors), allowed)).toMatch(
      /^numbers differ by .* %, and may by 0.1 %$/,
    );
    await same.close();
    await other.close();
  });

  it('compare decisions where numbers may differ', async () => {
    const session = await open(MODEL);
    const [vector] = await recordGolden(session, [
      givenInputs({ x: tensor('float32', [2, 4], Float32Array.of(1, 2, 3, 4, -1, 0, 2, 1)) }),
    ]);
    const turned = vector!.outputs['y']!.decisions.map((each) => (each + 1) % 3);
    const vectors = [
      { ...vector!, outputs: { y: { ...vector!.outputs['y']!, decisions: turned } } },
    ];
    const found = await measureGolden(session, vectors);
    expect(found).toEqual({ relative: expect.closeTo(0, 6), decisions: 1 });
    expect(goldenFault(found, { relative: 1, decisions: 0.5 })).toBe(
      '100 % of the decisions differ, and 50 % may',
    );
    await session.close();
  });

  it('come from seeds that give the same numbers for ever', async () => {
    const session = await open(MODEL);
    const inputs = seededInputs(session.signature, 1);
    expect(inputs).toEqual({ x: { type: 'float32', shape: [1, 4], seed: 100 } });
    const [vector] = await recordGolden(session, [inputs]);
    const wanted = [-0.101763681, 0.817192972, 0.519639075];
    for (const [i, number] of vector!.outputs['y']!.numbers.entries()) {
      expect(number).toBeCloseTo(wanted[i]!, 6);
    }
    await session.close();
  });
});

describe('a file', () => {
  it('is cut into chunks that a place keeps once', async () => {
    const random = new Uint8Array(3 * CHUNK_BYTES).map(() => Math.floor(256 * Math.random()));
    const { file, chunks } = await splitFile(random);
    expect(file.chunks).toHaveLength(4);
    expect(file.chunks.map(({ length }) => length).slice(0, 3)).toEqual([
      CHUNK_BYTES,
      CHUNK_BYTES,
      CHUNK_BYTES,
    ]);
    const parts = file.chunks.map((each) => chunks.get(each.sha256)!);
    expect(await joinChunks('model', file, parts)).toEqual(random);
    const [one, two, ...rest] = parts;
    await expect(joinChunks('model', file, [two!, one!, ...rest])).rejects.toMatchObject({
      code: 'EDGE_UNTRUSTED',
    });
  });

  it('is refused with any other byte, before it is decompressed', async () => {
    const [chunk] = manifest.files['fp32/golden.json']!.chunks;
    const bytes = await readChunk(publisher.place, chunk!);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << (at % 8);
      expect(await isChunk(flipped, chunk!)).toBe(false);
    }
  });

  it('has the signed digest, whatever its chunks have', async () => {
    const { file, chunks } = await splitFile(utf8('weights'));
    const other = { ...file, sha256: await sha256(utf8('others')) };
    const joined = joinChunks('model', other, [...chunks.values()]);
    await expect(joined).rejects.toThrow('model is not the file that was signed');
  });

  it('is decompressed no further than its signed length', async () => {
    const { file, chunks } = await splitFile(new Uint8Array(20 * 2 ** 20));
    const parts = [...chunks.values()];
    await expect(joinChunks('model', { ...file, length: 1000 }, parts)).rejects.toThrow(
      'has more than 1000 bytes',
    );
  });
});

describe('a manifest', () => {
  it('is refused with any other byte', async () => {
    const { bytes, digest } = await manifestNow();
    const { targets } = await deviceOf(publisher.root).refresh(publisher.place);
    const path = `targets/${digest}.risk.json`;
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << (at % 8);
      const place = publisher.place.copy();
      place.files.set(path, flipped);
      await expect(readManifest(place, targets, 'risk')).rejects.toMatchObject({
        code: 'EDGE_UNTRUSTED',
      });
    }
  });

  const changed = (change: object): Bytes => utf8(JSON.stringify({ ...manifest, ...change }));

  it.each([
    ['a newer schema', { schema: 2 }, 'has the schema 2; this device reads up to 1'],
    ['an unknown field', { extra: 1 }, 'Unrecognized key'],
    ['a path upwards', { files: { '../a': {} } }, 'invalid at files'],
    ['no version', { version: 0 }, 'invalid at version'],
    ['a file that is not listed', { sbom: 'other.json' }, 'has no file other.json'],
  ])('with %s is refused', (_, change, message) => {
    expect(() => parseManifest(changed(change))).toThrow(message);
  });
});
