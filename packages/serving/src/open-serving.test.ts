import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
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
  const wrong = [
    { timeoutMs: Number.NaN },
    { cancellation: signal },
    { timeout: 100 },
    { tenant: 5 as unknown as string },
  ];
  for (const options of wrong) {
    await expect(serving.infer('risk', row(), options)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  }
  expect(await serving.infer('risk', row())).toMatchObject({ version: '1' });
});

it('refuses changes and questions that it cannot read, and changes nothing', async () => {
  const opened = await openHere();
  await opened.deploy('risk', model(1), PATIENT);
  const { serving } = opened;
  const before = serving.view('risk').revision;
  const version = '1';
  for (const request of [null, 5, {}, { name: 'risk', version: 1 }, { name: 'risk' }] as never[]) {
    await expect(serving.deploy(request, 'me')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  }
  for (const wrong of [{ plan: { strategy: 'slow' } }, { settings: 5 }] as object[]) {
    const request = { name: 'risk', version, ...wrong };
    await expect(serving.deploy(request, 'me')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  }
  for (const settings of [null, 5, undefined] as never[]) {
    await expect(serving.changeSettings('risk', settings, 'me')).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  }
  for (const range of ['week', undefined, {}] as never[]) {
    expect(() => serving.traffic('risk', range)).toThrow(/^The range/);
  }
  expect(serving.traffic('risk', 'hour').points).toEqual([]);
  expect(serving.view('risk').revision).toBe(before);
});

it('names the file of a model that it cannot read, and what it should be', async () => {
  const serving = await openHere();
  const missing = join(folder, 'missing.onnx');
  await expect(serving.deploy('risk', missing)).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: `"${missing}" cannot be read: there is no such file or folder.`,
  });
  await expect(serving.deploy('risk', folder)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  for (const given of [5, undefined, new ArrayBuffer(4), [1, 2]]) {
    await expect(serving.deploy('risk', given as unknown as Uint8Array)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  }
});

it('refuses inputs that are not tensors', async () => {
  const serving = await openHere();
  await serving.deploy('risk', model(1), PATIENT);
  const x = row().get('x')!;
  const given = [
    undefined,
    { x },
    new Map([['x', undefined]]),
    new Map([['x', [1, 2, 3, 4]]]),
    new Map([['x', { ...x, shape: '14' }]]),
    new Map([['x', { type: 'float32', shape: [1, 4] }]]),
    // Read as bytes, its numbers would be others.
    new Map([['x', { ...x, bytes: Float32Array.of(1, 2, 3, 4) }]]),
    new Map([['x', { type: 'string', shape: [1], elements: ['a'] }]]),
  ];
  for (const inputs of given) {
    await expect(serving.infer('risk', inputs as unknown as TensorMap)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  }
});

it('leaves its folder to the next one when it cannot be opened', async () => {
  await openHere().then((serving) => serving.close());
  open.length = 0;
  const inTheWay = join(folder, 'artifacts', '.incoming-folder');
  await mkdir(inTheWay);
  for (let at = 0; at < 2; at++) {
    await expect(openServing({ folder })).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
  }
  await rmdir(inTheWay);
  await openHere();
});

it('refuses options that it could not follow', async () => {
  const wrong = [
    [{ core: 1 }, 'has no field "core"; known are folder, cores, observer, log'],
    [{ log: 'stderr' }, 'log must be a function'],
    [{ observer: 'x' }, 'observer must be an object'],
    [{ observer: { answered: () => undefined } }, 'observer must have a function refused'],
  ] as const;
  for (const [options, words] of wrong) {
    await expect(openServing({ folder, ...options } as never)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining(words),
    });
  }
  const serving = await openHere();
  await expect(serving.deploy(5 as never, model(1))).rejects.toMatchObject({
    message: 'name must be a string.',
  });
});

it('refuses a folder or cores that it cannot use', async () => {
  await expect(openServing(undefined as never)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  for (const path of ['', undefined, 5]) {
    const opened = openServing({ folder: path as string });
    await expect(opened).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
  }
  for (const cores of [-1, Number.NaN, '2']) {
    const opened = openServing({ folder, cores: cores as number });
    await expect(opened).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  }
});

it('changes nothing once it is closed', async () => {
  const embedded = await openHere();
  const { serving } = embedded;
  await embedded.deploy('risk', model(1), PATIENT);
  await embedded.close();
  open.length = 0;
  const before = await readdir(join(folder, 'artifacts'));
  const refused = { code: 'NODE_DRAINING', retryAfterMs: undefined };
  await expect(embedded.deploy('risk', model(2))).rejects.toMatchObject({ code: 'NODE_DRAINING' });
  expect(await readdir(join(folder, 'artifacts'))).toEqual(before);
  const later = [
    () => serving.deploy({ name: 'risk', version: '1' }, 'a test'),
    () => serving.changeSettings('risk', { objective: { latencyMs: 100 } }, 'a test'),
    () => serving.rollback('risk', 'a test', 'a test'),
    () => serving.unload('risk', 'a test'),
    () => serving.undeploy('risk', 'a test'),
  ];
  for (const change of later) await expect(change()).rejects.toMatchObject(refused);
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
