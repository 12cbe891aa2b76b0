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
import { openModel } from './model-file.ts';

const folder = testFolder();
const weights = Float32Array.of(1, 2, 3, 4);

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
    const y = outputs.get('y');
    const read = y === undefined || y.type === 'string' ? new Uint8Array(0) : y.bytes.slice();
    expect([...new Float32Array(read.buffer)]).toEqual([310, 420]);
  });

  it('names what is missing next to the model, and refuses to search elsewhere', async () => {
    const missing = await failure(write('missing.onnx', withExternalData('none.bin')));
    expect([missing.code, missing.message]).toEqual([
      'MODEL_EXTERNAL_DATA',
      expect.stringContaining('none.bin'),
    ]);
    const outside = await failure(write('outside.onnx', withExternalData('../secret.bin')));
    expect(outside.code).toBe('MODEL_EXTERNAL_DATA');
  });

  it('refuses more weights than one file can hold before it reads them, with a way out', async () => {
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
    const refused = await failure(write('large.onnx', writeModel(large)));
    expect(refused).toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(new RegExp(`${bytes} bytes.*float16`)),
    });
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
