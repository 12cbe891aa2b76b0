import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mlp, tensor, writeModel, type TensorMap } from '@skein/onnx';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import type { Cancellation } from './contract.ts';
import { openServing, type EmbeddedServing } from './open-serving.ts';

let folder: string;
const open: EmbeddedServing[] = [];
beforeEach(() => {
  folder = testFolder();
});
afterEach(() => Promise.all(open.splice(0).map((serving) => serving.close())));

async function openHere(): Promise<EmbeddedServing> {
  const serving = await openServing({ folder, cores: 2 });
  open.push(serving);
  return serving;
}

const PATIENT = { objective: { latencyMs: 10_000 } };
const model = (seed: number): Uint8Array => writeModel(mlp({ sizes: [4, 8, 2], seed }));
const row = (): TensorMap =>
  new Map([['x', tensor('float32', [1, 4], Float32Array.of(1, 2, 3, 4))]]);

it('serves bytes and files, and again after a restart', async () => {
  const first = await openHere();
  const path = join(folder, 'model.onnx');
  await writeFile(path, model(1));
  expect(await first.deploy('risk', path, PATIENT)).toMatchObject({ status: 'ready' });
  const { outputs, version } = await first.infer('risk', row());
  expect(version).toBe('1');
  await first.close();
  open.length = 0;

  const second = await openHere();
  expect((await second.infer('risk', row())).outputs).toEqual(outputs);
  await second.deploy('risk', model(2));
  expect(await second.infer('risk', row())).toMatchObject({ version: '2' });
});

it('refuses requests that cannot be answered in time, and unknown models', async () => {
  const serving = await openHere();
  await serving.deploy('risk', model(1), PATIENT);
  await expect(serving.infer('risk', row(), { timeoutMs: -1 })).rejects.toMatchObject({
    code: expect.stringMatching(/^DEADLINE_/),
  });
  await expect(serving.infer('nothing', row())).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  await expect(serving.deploy('risk', Buffer.from('no model'))).rejects.toMatchObject({
    code: 'MODEL_FILE_INVALID',
  });
});

it('refuses options of a request that it cannot use', async () => {
  const serving = await openHere();
  await serving.deploy('risk', model(1), PATIENT);
  const signal = new AbortController().signal as unknown as Cancellation;
  for (const options of [{ timeoutMs: Number.NaN }, { cancellation: signal }]) {
    await expect(serving.infer('risk', row(), options)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  }
  expect(await serving.infer('risk', row())).toMatchObject({ version: '1' });
});

it('answers accepted requests before it closes, and none after', async () => {
  const serving = await openHere();
  await serving.deploy('risk', model(1), PATIENT);
  const accepted = Array.from({ length: 20 }, () => serving.infer('risk', row()));
  await serving.close();
  open.length = 0;
  for (const answer of await Promise.all(accepted)) expect(answer.version).toBe('1');
  await expect(serving.infer('risk', row())).rejects.toMatchObject({ code: 'NODE_DRAINING' });
});

it('refuses its folder to a second process', async () => {
  await openHere();
  await expect(openHere()).rejects.toMatchObject({ code: 'DATA_FOLDER_LOCKED' });
});
