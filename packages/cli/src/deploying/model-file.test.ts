import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { SkeinError } from '@skein/api/errors';
import {
  externalTensors,
  GraphBuilder,
  readModel,
  tensor,
  writeModel,
  type Model,
} from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { startNodeProcess } from '../../../server/src/testing/node-process.ts';
import { openModel } from './model-file.ts';

const folder = testFolder();
const weights = Float32Array.of(1, 2, 3, 4);
/** The answer for x = [10, 100]. */
const FOUND = Float32Array.of(310, 420);

/** y = x · w for the weights above. */
function model(): Model {
  const graph = new GraphBuilder('model');
  const x = graph.input('x', 'float32', ['batch', 2]);
  const w = graph.initializer('w', tensor('float32', [2, 2], weights));
  const [y] = graph.node('MatMul', [x, w], {}, { outputs: ['y'] });
  graph.output(y, 'float32', ['batch', 2]);
  return graph.model();
}

/** The same, with its weights in a file next to it, as large exporters write them. */
function withExternalData(location: string): Uint8Array {
  const moved = model();
  const stored = moved.graph?.initializer[0];
  if (stored === undefined) throw new Error('the model has no weights');
  const entries = { location, offset: '8', length: '16' };
  Object.assign(stored, {
    rawData: new Uint8Array(0),
    // TensorProto.DataLocation.EXTERNAL
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, value]) => ({
      $typeName: 'onnx.StringStringEntryProto',
      key,
      value,
    })),
  });
  return writeModel(moved);
}

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function failure(path: string): Promise<SkeinError> {
  const error = await openModel(path, 'given.onnx').catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SkeinError);
  return error as SkeinError;
}

describe('openModel', () => {
  it('takes a model in one file as it lies there', async () => {
    const path = write('plain.onnx', writeModel(model()));
    const blob = await openModel(path, 'plain.onnx');
    expect(Buffer.from(await blob.arrayBuffer())).toEqual(readFileSync(path));
  });

  it('puts the weights that lie next to a model inside it, so that it computes the same', async () => {
    write('weights.bin', Buffer.concat([Buffer.alloc(8), Buffer.from(weights.buffer)]));
    const blob = await openModel(write('external.onnx', withExternalData('weights.bin')), 'x');
    const bytes = new Uint8Array(await blob.arrayBuffer());
    expect(externalTensors(readModel(bytes))).toEqual([]);
    const session = await nativeRuntime.open(
      { bytes },
      { device: 'cpu', threads: 1, isolation: 'thread' },
    );
    const x = tensor('float32', [1, 2], Float32Array.of(10, 100));
    const { outputs } = await session.run(new Map([['x', x]]));
    await session.close();
    expect(outputs.get('y')).toMatchObject(tensor('float32', [1, 2], FOUND));
  });

  it('puts weights behind the graph, from where a node serves them, also after it starts anew', async () => {
    write('weights.bin', Buffer.concat([Buffer.alloc(8), Buffer.from(weights.buffer)]));
    const path = write('external.onnx', withExternalData('weights.bin'));
    const blob = await openModel(path, 'x', undefined, 0);
    const options = { folder: testFolder() };
    const x = tensor('float32', [1, 2], Float32Array.of(10, 100));
    let node = await startNodeProcess(options);
    try {
      await node.deploy('large', new Uint8Array(await blob.arrayBuffer()));
      expect((await node.client.infer('large', { x })).outputs['y']?.data).toEqual(FOUND);
      await node.kill();
      node = await startNodeProcess(options);
      expect((await node.client.infer('large', { x })).outputs['y']?.data).toEqual(FOUND);
    } finally {
      await node.kill();
    }
  }, 60_000);

  it('names what is missing next to the model, and refuses to search elsewhere', async () => {
    const missing = await failure(write('missing.onnx', withExternalData('none.bin')));
    expect([missing.code, missing.message]).toEqual([
      'MODEL_EXTERNAL_DATA',
      expect.stringContaining('none.bin'),
    ]);
    const outside = await failure(write('outside.onnx', withExternalData('../secret.bin')));
    expect(outside.code).toBe('MODEL_EXTERNAL_DATA');
  });

  it('puts more weights than a message can hold behind the graph, and reads them only as it is sent', async () => {
    const [rows, columns] = [2 ** 20, 513];
    const bytes = rows * columns * 4;
    const large = model();
    Object.assign(large.graph!.initializer[0]!, {
      dims: [BigInt(rows), BigInt(columns)],
      rawData: new Uint8Array(0),
      dataLocation: 1,
      externalData: [
        { $typeName: 'onnx.StringStringEntryProto', key: 'location', value: 'large.data' },
      ],
    });
    // The file is sparse: it takes no space.
    truncateSync(write('large.data', new Uint8Array()), bytes);
    const blob = await openModel(write('large.onnx', writeModel(large)), 'x');
    // The graph has a page of its own.
    expect(blob.size).toBe(4096 + bytes);
  });

  it('explains what is wrong with the file itself', async () => {
    const cut = await failure(write('cut.onnx', writeModel(model()).subarray(0, 60)));
    expect([cut.code, cut.message]).toEqual([
      'MODEL_FILE_INVALID',
      expect.stringMatching(/^"given.onnx": /),
    ]);
    expect((await failure(join(folder, 'absent.onnx'))).code).toBe('FILE_UNREADABLE');
    expect((await failure(folder)).message).toBe('"given.onnx" cannot be read: it is a folder.');
  });
});
