/** Invalid model files, uploaded to a real node: each is rejected with the reason, and nothing of it is stored. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS, type ErrorBody, type ErrorCode } from '@skein/api';
import { GraphBuilder, mlp, writeModel, type Model, type ModelOptions } from '@skein/onnx';
import { runCli } from '../../../../cli/src/testing/cli.ts';
import { linear, moveOut } from '../../../../onnx/src/testing/small-models.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { rawClient } from '../../testing/raw-client.ts';

let node: NodeProcess;
let stored: string[];
beforeAll(async () => {
  node = await startNodeProcess();
  await node.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }), {
    objective: { latencyMs: 10_000 },
  });
  stored = artifacts();
});
afterAll(() => node[Symbol.asyncDispose]());

const artifacts = () => readdirSync(join(node.folder, '.skein/artifacts'));

async function expectNothingChanged(): Promise<void> {
  await expect.poll(artifacts).toEqual(stored);
  const { models } = await node.client.listModels();
  expect(models.map(({ name, versions }) => [name, versions])).toEqual([['risk', ['1']]]);
  const x = { shape: [1, 4], data: new Float32Array(4) };
  expect((await node.client.infer('risk', { x })).version).toBe('1');
}

const whole = writeModel(mlp({ sizes: [64, 64, 8], seed: 2 }));
const text = (content: string) => new Uint8Array(Buffer.from(content));

/** y = operator(x). */
function one(operator: string, options: ModelOptions & { domain?: string } = {}): Model {
  const { domain, ...model } = options;
  const graph = new GraphBuilder('one');
  const x = graph.input('x', 'float32', ['n', 4]);
  graph.node(operator, [x], {}, { outputs: ['y'], name: 'only', ...(domain ? { domain } : {}) });
  graph.output('y', 'float32', ['n', 4]);
  return graph.model(model);
}

function withoutItsData(): Model {
  const model = linear();
  moveOut(model, { location: 'weights.bin', offset: '0', length: '16' });
  return model;
}

const files: [string, Uint8Array | Model, ErrorCode, RegExp][] = [
  ['an empty file', new Uint8Array(0), 'MODEL_FILE_INVALID', /empty/],
  ['text', text('This is no model.'), 'MODEL_FILE_INVALID', /not an ONNX model/],
  ['a page of an error', text('<!DOCTYPE html><h1>404</h1>'), 'MODEL_FILE_INVALID', /HTML/i],
  ['half of a model', whole.subarray(0, whole.length / 2), 'MODEL_FILE_INVALID', /truncated/],
  ['a model without its last byte', whole.subarray(0, -1), 'MODEL_FILE_INVALID', /./],
  ['a model with a hole', withHole(whole), 'MODEL_FILE_INVALID', /./],
  [
    'an operator that does not exist',
    one('Frobnicate'),
    'MODEL_UNSUPPORTED',
    /'Frobnicate' \(node 'only'\)/,
  ],
  [
    'an operator from after its opset',
    one('Mish'),
    'MODEL_UNSUPPORTED',
    /'Mish'.*opset 17.*opset 18/,
  ],
  ['an opset from the future', one('Relu', { opset: 99 }), 'MODEL_UNSUPPORTED', /opset 99/],
  [
    'an IR version from the future',
    one('Relu', { irVersion: 99 }),
    'MODEL_UNSUPPORTED',
    /IR version 99/,
  ],
  ['a node whose input no node produces', loose(), 'MODEL_FILE_INVALID', /'nothing'/],
  [
    'weights in a file that did not come along',
    withoutItsData(),
    'MODEL_EXTERNAL_DATA',
    /'w'.*weights\.bin/,
  ],
];

function withHole(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy.fill(0xff, 10, 40);
  return copy;
}

function loose(): Model {
  const graph = new GraphBuilder('loose');
  graph.node('Relu', ['nothing'], {}, { outputs: ['y'] });
  graph.output('y', 'float32', [1]);
  return graph.model();
}

const bytesOf = (file: Uint8Array | Model) =>
  file instanceof Uint8Array ? file : writeModel(file);

it.each(files)('%s', async (_, file, code, message) => {
  const response = await fetch(`${node.url}/api/v1/models/bad/versions`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytesOf(file) as Uint8Array<ArrayBuffer>,
  });
  const answer = (await response.json()) as ErrorBody;
  expect(answer).toMatchObject({ code, fix: ERRORS[code].fix });
  expect(answer.error).toMatch(message);
  expect(response.status).toBe(ERRORS[code].http);
  await expectNothingChanged();
});

describe('errors that only the runtime finds', () => {
  /** Adds [n, 4] and [5], which no n makes possible. */
  function mismatch(): Model {
    const graph = new GraphBuilder('mismatch');
    const x = graph.input('x', 'float32', ['n', 4]);
    const s = graph.input('s', 'string', ['n']);
    graph.node('Add', [x, s], {}, { outputs: ['y'], name: 'impossible' });
    graph.output('y', 'float32', ['n', 4]);
    return graph.model();
  }

  it.each([
    [
      'an operator of a domain that it does not have',
      one('Frobnicate', { domain: 'com.example', domains: { 'com.example': 1 } }),
      /'Frobnicate'.*com\.example/,
    ],
    ['an operator on types that it does not take', mismatch(), /impossible/],
  ])('%s', async (_, model, message) => {
    const content = writeModel(model) as Uint8Array<ArrayBuffer>;
    const { version } = await node.client.importModel({ name: 'bad', content });
    await expect(node.client.deploy({ name: 'bad', version })).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringMatching(message) as unknown,
    });
    await expect(node.client.getDeployment({ name: 'bad' })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
    await node.client.removeVersion({ name: 'bad', version });
    await expectNothingChanged();
  });
});

it('a file whose announced size is above the limit is refused before it is sent', async () => {
  const client = rawClient(node.port);
  client.socket.write(
    'PUT /api/v1/models/bad/versions HTTP/1.1\r\nHost: localhost\r\n' +
      'Content-Type: application/octet-stream\r\nContent-Length: 70000000000\r\n\r\nONNX',
  );
  expect(await client.until(/BODY_TOO_LARGE/)).toMatch(/^HTTP\/1\.1 413 /);
  client.socket.destroy();
  await expectNothingChanged();
});

it('a client that disconnects in the middle of a file leaves nothing behind', async () => {
  const client = rawClient(node.port);
  client.socket.write(
    'PUT /api/v1/models/bad/versions HTTP/1.1\r\nHost: localhost\r\n' +
      `Content-Type: application/octet-stream\r\nContent-Length: ${whole.length}\r\n\r\n`,
  );
  client.socket.write(whole.subarray(0, 1000));
  await expect.poll(artifacts).not.toEqual(stored);
  client.socket.destroy();
  await expectNothingChanged();
});

describe('skein deploy', () => {
  const deploy = (file: string) =>
    runCli(['deploy', file, '--name', 'bad', '--server', node.url, '--json'], { cwd: node.folder });

  it('names the file of weights that is missing', async () => {
    writeFileSync(join(node.folder, 'apart.onnx'), writeModel(withoutItsData()));
    const { code, stdout } = await deploy('apart.onnx');
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({
        code: 'MODEL_EXTERNAL_DATA',
        error: expect.stringContaining('weights.bin') as unknown,
      }),
    ]);
    await expectNothingChanged();
  });

  it('names an operator that does not exist', async () => {
    writeFileSync(join(node.folder, 'odd.onnx'), writeModel(one('Frobnicate')));
    const { code, stdout } = await deploy('odd.onnx');
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({
        code: 'MODEL_UNSUPPORTED',
        error: expect.stringContaining('Frobnicate') as unknown,
      }),
    ]);
    await expectNothingChanged();
  });
});
