/** Files that are expensive to read, or that reference memory or files outside of themselves. */
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { mlp, packModel, readModel, readPacked, writeModel, type Model } from '@skein/onnx';
import { messageBytesOf, OWN_NAME, pagesOf, PREFIX_BYTES, prefixOf } from '@skein/onnx/packed-form';
import { openFileArtifacts, openSqliteState } from '@skein/state';
import { moveOut } from '../../../onnx/src/testing/small-models.ts';
import { inspectFile, type InspectionBounds } from './inspector.ts';
import { createRegistry } from './registry.ts';

const folder = testFolder();
/** Wraps bytes in one more field of protocol buffers. */
function wrap(field: number, bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let left = bytes.byteLength;
  for (; left > 127; left = Math.floor(left / 128)) length.push((left % 128) | 128);
  return Buffer.concat([Buffer.of((field << 3) | 2, ...length, left), bytes]);
}

/** Graphs nested in attributes of nodes. */
function nested(depth: number): Uint8Array {
  let graph: Uint8Array = new Uint8Array();
  for (let i = 0; i < depth; i++) graph = wrap(1, wrap(5, wrap(6, graph)));
  return wrap(7, graph);
}

/** Larger than the limit for the calling thread. */
const large = writeModel(mlp({ sizes: [4, 600, 600, 2], seed: 1 }));

async function inspect(bytes: Uint8Array, bounds?: InspectionBounds): Promise<unknown> {
  const path = join(folder, 'model.onnx');
  await writeFile(path, bytes);
  return inspectFile(path, (await stat(path)).size, bounds);
}

describe('a file', () => {
  it('that takes too long to read is refused', async () => {
    await expect(inspect(large)).resolves.toBeDefined();
    await expect(inspect(large, { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'MODEL_FILE_INVALID',
      message: 'The model could not be read within 1 ms.',
    });
  });

  it('that takes too much memory to read is refused, and the node continues', async () => {
    // A million empty nodes, two bytes each.
    const nodes = Buffer.alloc(2_000_000);
    for (let at = 0; at < nodes.byteLength; at += 2) nodes[at] = 0x0a;
    await expect(inspect(wrap(7, nodes), { heapMib: 32 })).rejects.toMatchObject({
      code: 'MODEL_FILE_INVALID',
      message: expect.stringContaining('more memory than allowed') as string,
    });
  });

  it.each([[2_000], [20_000]])('with graphs in graphs, %i deep, is refused', async (depth) => {
    await expect(inspect(nested(depth))).rejects.toMatchObject({
      code: expect.stringMatching(/^MODEL_/) as string,
    });
  });
});

describe('a model above 2 GiB', () => {
  function packed(change: (model: Model) => void = () => undefined): Uint8Array {
    const model = readModel(writeModel(mlp({ sizes: [4, 8, 2], seed: 1 })));
    const bytes = moveOut(model, { location: 'weights' });
    const { head } = packModel(model);
    const length = messageBytesOf(head)!;
    const read = readPacked(head.subarray(PREFIX_BYTES, PREFIX_BYTES + length), 2 ** 20);
    change(read);
    const message = writeModel(read);
    const file = new Uint8Array(pagesOf(PREFIX_BYTES + message.byteLength) + bytes.byteLength);
    file.set(prefixOf(message.byteLength));
    file.set(message, PREFIX_BYTES);
    return file;
  }
  const placed = (entries: Record<string, string>) => (model: Model) =>
    void moveOut(model, { location: OWN_NAME, ...entries });

  it('is taken with all its weights', async () => {
    await expect(inspect(packed())).resolves.toBeDefined();
  });

  it.each([
    ['the artifact of another model', placed({ location: 'a'.repeat(64), offset: '4096' })],
    ['a file of the host', placed({ location: '/etc/passwd', offset: '4096' })],
    ['memory of the node', placed({ location: '*/_ORT_MEM_ADDR_/*', offset: '4194304' })],
    ['bytes behind its end', placed({ offset: '4097' })],
    ['bytes of its graph', placed({ offset: '64' })],
  ])('may not have as its weights: %s', async (_, change) => {
    const refused = { code: 'MODEL_EXTERNAL_DATA' };
    await expect(inspect(packed(change))).rejects.toMatchObject(refused);
  });

  it('is refused where any part of its head is wrong', async () => {
    const whole = packed();
    const length = pagesOf(PREFIX_BYTES);
    for (let cut = 0; cut < length; cut += 101) {
      await expect(inspect(whole.subarray(0, cut))).rejects.toMatchObject({
        code: expect.stringMatching(/^MODEL_/) as string,
      });
    }
    for (const claimed of [2 ** 29, 2 ** 53, 0]) {
      const lying = whole.slice();
      lying.set(prefixOf(claimed));
      await expect(inspect(lying)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' });
    }
  });
});

describe('external data', () => {
  it.each([
    ['a file of the host', { location: '/etc/passwd' }],
    ['a file above the folder', { location: '../state.sqlite' }],
    ['the artifact of another model', { location: 'a'.repeat(64) }],
    // ONNX Runtime's own name for process memory: the offset is an address.
    ['memory of the node', { location: '*/_ORT_MEM_ADDR_/*', offset: '4194304' }],
  ])('may not be %s', async (_, entries) => {
    const state = await openSqliteState(':memory:');
    const registry = createRegistry({
      state,
      artifacts: await openFileArtifacts(join(folder, 'artifacts')),
      limits: { maxModelBytes: 1 << 20 },
      describeComposition: () => Promise.reject(new Error('unused')),
    });
    const model = readModel(writeModel(mlp({ sizes: [4, 8, 2], seed: 1 })));
    moveOut(model, entries);
    const content = (async function* () {
      yield writeModel(model);
    })();
    await expect(registry.importModel('theirs', content, {})).rejects.toMatchObject({
      code: 'MODEL_EXTERNAL_DATA',
    });
    expect(await readdir(join(folder, 'artifacts'))).toEqual([]);
    await state.close();
  });
});
