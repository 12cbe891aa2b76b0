/** Triton's shared memory extension, over real objects in /dev/shm and both protocols. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bodyBudget } from '@skein/http';
import { fakeAccess } from '../../../testing/fake-inference.ts';
import { call, failure } from '../../../testing/grpc-client.ts';
import { startGrpcFace } from '../../testing/grpc-face.ts';
import { INFER, post, send, startHttpFace } from '../../testing/http-face.ts';
import { GRPCInferenceService } from '../grpc/proto/inference.gen.ts';
import { createSharedRegions } from './shared-memory.ts';

const { method } = GRPCInferenceService;
const run = promisify(execFile);
const bytesOf = (...list: number[]) => Buffer.from(Float32Array.from(list).buffer);
const floatsIn = (bytes: Buffer) => Array.from(new Float32Array(new Uint8Array(bytes).buffer));

/** An object that a client has made; its key. */
function makeObject(bytes: Uint8Array): string {
  const key = `skein-test-${randomBytes(6).toString('hex')}`;
  writeFileSync(`/dev/shm/${key}`, bytes);
  onTestFinished(() => rmSync(`/dev/shm/${key}`, { force: true }));
  return key;
}
const contents = (key: string): Buffer => readFileSync(`/dev/shm/${key}`);

const register = (port: number, name: string, fields: object, headers = {}) =>
  send(
    port,
    `/v2/systemsharedmemory/region/${name}/register`,
    post(JSON.stringify(fields), headers),
  );
const input = (parameters: object) => ({ name: 'x', datatype: 'FP32', shape: [1, 2], parameters });
const request = (from: object, to?: object) =>
  post(
    JSON.stringify({
      inputs: [input(from)],
      ...(to === undefined ? {} : { outputs: [{ name: 'x', parameters: to }] }),
    }),
  );
const slice = (region: string, size = 8, offset?: number) => ({
  shared_memory_region: region,
  shared_memory_byte_size: size,
  ...(offset === undefined ? {} : { shared_memory_offset: offset }),
});

describe('over HTTP', () => {
  test('a tensor comes from a region and goes to another, by offset', async () => {
    const { port } = await startHttpFace();
    const from = makeObject(bytesOf(0, 0, 1.5, -2, 9));
    const to = makeObject(Buffer.alloc(32));
    // Clients begin by removing the regions of an earlier run.
    expect((await send(port, '/v2/systemsharedmemory/unregister', post(''))).status).toBe(200);
    expect(await register(port, 'in', { key: `/${from}`, offset: 4, byte_size: 16 })).toMatchObject(
      {
        status: 200,
        text: '',
      },
    );
    expect((await register(port, 'out', { key: to, byte_size: 32 })).status).toBe(200);
    const answer = await send(port, INFER, request(slice('in', 8, 4), slice('out', 12, 8)));
    expect(answer.json).toEqual({
      model_name: 'echo',
      model_version: '1',
      outputs: [
        {
          name: 'x',
          datatype: 'FP32',
          shape: [1, 2],
          parameters: {
            shared_memory_region: 'out',
            shared_memory_offset: 8,
            shared_memory_byte_size: 8,
          },
        },
      ],
    });
    expect(floatsIn(contents(to))).toEqual([0, 0, 1.5, -2, 0, 0, 0, 0]);
    expect((await send(port, INFER, request(slice('in', 8, 8)))).json).toMatchObject({
      outputs: [{ data: [-2, 9] }],
    });
  });

  test('regions are listed, and removed one by one or together', async () => {
    const { port } = await startHttpFace();
    const key = makeObject(Buffer.alloc(64));
    for (const name of ['a', 'b', 'c']) await register(port, name, { key, byte_size: 8 });
    const a = { name: 'a', key, offset: 0, byte_size: 8 };
    expect((await send(port, '/v2/systemsharedmemory/region/a/status')).json).toEqual([a]);
    expect((await send(port, '/v2/systemsharedmemory/status')).json).toMatchObject([
      a,
      { name: 'b' },
      { name: 'c' },
    ]);
    expect(await register(port, 'a', { key, byte_size: 8 })).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/"a" is registered already/) },
    });
    await send(port, '/v2/systemsharedmemory/region/a/unregister', post(''));
    expect(await send(port, '/v2/systemsharedmemory/region/a/status')).toMatchObject({
      status: 404,
      json: { code: 'REGION_UNKNOWN' },
    });
    await send(port, '/v2/systemsharedmemory/unregister', post(''));
    expect((await send(port, '/v2/systemsharedmemory/status')).json).toEqual([]);
    expect(await send(port, INFER, request(slice('b')))).toMatchObject({ status: 404 });
    // The object itself is the client's.
    expect(contents(key)).toHaveLength(64);
  });

  test.each([
    ['a region without a size', { shared_memory_region: 'r' }, /shared_memory_byte_size.*missing/],
    ['a size without a region', { shared_memory_byte_size: 8 }, /shared_memory_region/],
    ['a negative offset', slice('r', 8, -1), /-1/],
    [
      'more than the region has',
      slice('r', 8, 12),
      /Bytes 12 to 20 are beyond the region "r" of 16/,
    ],
    ['fewer bytes than the shape takes', slice('r', 4), /has 4 bytes/],
  ])('%s is refused', async (_, parameters, message) => {
    const { port } = await startHttpFace();
    await register(port, 'r', { key: makeObject(Buffer.alloc(16)), byte_size: 16 });
    const answer = await send(port, INFER, request(parameters));
    expect(answer).toMatchObject({ status: 400, json: { error: expect.stringMatching(message) } });
  });

  test('data outside a region, an output that is too large, and an object that shrank are refused', async () => {
    const { port } = await startHttpFace();
    const key = makeObject(Buffer.alloc(16));
    await register(port, 'r', { key, byte_size: 16 });
    const both = JSON.stringify({ inputs: [{ ...input(slice('r')), data: [1, 2] }] });
    expect((await send(port, INFER, post(both))).text).toMatch(/both data and shared memory/);
    const small = await send(port, INFER, request(slice('r'), slice('r', 7, 8)));
    expect(small.text).toMatch(/Output \\"x\\" has 8 bytes; shared_memory_byte_size gives it 7/);
    truncateSync(`/dev/shm/${key}`, 4);
    expect((await send(port, INFER, request(slice('r')))).text).toMatch(/has become smaller/);
    const { port: other } = await startHttpFace();
    await register(other, 'r', { key: makeObject(bytesOf(1, 2)), byte_size: 8 });
    expect((await send(other, INFER, request(slice('r'), slice('r')))).status).toBe(200);
  });

  test('shared memory counts against what a tenant may hold, and the limit of a body', async () => {
    const { port } = await startHttpFace({ limits: { maxBodyBytes: 1000 } });
    await register(port, 'r', { key: makeObject(Buffer.alloc(4096)), byte_size: 4096 });
    const large = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'UINT8', shape: [2000], parameters: slice('r', 2000) }],
    });
    expect(await send(port, INFER, post(large))).toMatchObject({
      status: 413,
      json: { code: 'BODY_TOO_LARGE' },
    });
  });

  test.each([
    ['UINT8', 40_000, 40_000],
    ['BYTES', 2000, 8000],
  ])('%s in shared memory counts with all that it takes', async (datatype, count, size) => {
    const { port } = await startHttpFace({ bodies: bodyBudget(50_000) });
    await register(port, 'r', { key: makeObject(Buffer.alloc(size)), byte_size: size });
    const inputs = ['x', 'y'].map((name) => ({
      name,
      datatype,
      shape: [count],
      parameters: slice('r', size),
    }));
    expect(await send(port, INFER, post(JSON.stringify({ inputs })))).toMatchObject({
      status: 503,
      json: { code: 'BODIES_TOO_LARGE' },
    });
  });

  test('a region that is removed during a write is refused', async () => {
    const regions = createSharedRegions('127.0.0.1');
    const key = makeObject(Buffer.alloc(8));
    await regions.register('t', { name: 'r', key, offset: 0, byteSize: 8 });
    const written = regions.write('t', { region: 'r', offset: 0, byteSize: 8 }, bytesOf(1, 2));
    const [outcome] = await Promise.allSettled([written, regions.unregister('t')]);
    expect(outcome).toMatchObject({ reason: { code: 'REQUEST_INVALID' } });
  });

  test('CUDA has no regions, and its registration is refused by name', async () => {
    const { port } = await startHttpFace();
    const base = '/v2/cudasharedmemory';
    expect((await send(port, `${base}/status`)).json).toEqual([]);
    expect((await send(port, `${base}/unregister`, post(''))).status).toBe(200);
    const handle = JSON.stringify({ raw_handle: { b64: 'AA==' }, device_id: 0, byte_size: 8 });
    expect(await send(port, `${base}/region/g/register`, post(handle))).toMatchObject({
      status: 400,
      json: { code: 'SHARED_MEMORY_UNAVAILABLE', error: expect.stringMatching(/CUDA/) },
    });
  });

  test.each([
    ['/v2/systemsharedmemory', 'GET', 404],
    ['/v2/systemsharedmemory/register', 'POST', 404],
    ['/v2/systemsharedmemory/region/a', 'GET', 404],
    ['/v2/systemsharedmemory/region/a/status/more', 'GET', 404],
    ['/v2/systemsharedmemory/status', 'POST', 405],
    ['/v2/systemsharedmemory/region/a/register', 'GET', 405],
  ])('%s by %s is %i', async (path, verb, status) => {
    const { port } = await startHttpFace();
    expect((await send(port, path, { method: verb })).status).toBe(status);
  });
});

describe('what a key may name', () => {
  test.each([
    '../../etc/passwd',
    '/../etc/passwd',
    '..',
    '/.',
    '',
    '/',
    'a/b',
    '/dev/shm/x',
    'a\0b',
    'a'.repeat(201),
  ])('a key never leaves /dev/shm: %j', async (key) => {
    const { port } = await startHttpFace();
    expect(await register(port, 'r', { key, byte_size: 1 })).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/key of an object in \/dev\/shm/) },
    });
  });

  test('a link, a folder, a pipe and what does not exist are refused', async () => {
    const { port } = await startHttpFace();
    const key = makeObject(Buffer.alloc(0));
    rmSync(`/dev/shm/${key}`);
    const refusal = async () => (await register(port, 'r', { key, byte_size: 0 })).text;
    expect(await refusal()).toMatch(/ENOENT/);
    symlinkSync('/etc/passwd', `/dev/shm/${key}`);
    expect(await refusal()).toMatch(/ELOOP/);
    rmSync(`/dev/shm/${key}`);
    await run('mkfifo', [`/dev/shm/${key}`]);
    expect(await refusal()).toMatch(/is not shared memory/);
    expect(
      (await register(port, 'r', { key: makeObject(Buffer.alloc(4)), byte_size: 5 })).text,
    ).toMatch(/ends at byte 5, but its object has 4 bytes/);
  });

  test('a node that other machines reach refuses shared memory by name', async () => {
    const { port } = await startHttpFace({ regions: createSharedRegions('0.0.0.0') });
    const answer = await register(port, 'r', { key: makeObject(Buffer.alloc(8)), byte_size: 8 });
    expect(answer).toMatchObject({ status: 400, json: { code: 'SHARED_MEMORY_UNAVAILABLE' } });
    expect((await send(port, '/v2/systemsharedmemory/status')).json).toEqual([]);
    expect(await send(port, INFER, request(slice('r')))).toMatchObject({ status: 404 });
  });
});

describe('tenants', () => {
  test('the region of another tenant is as unknown as one that does not exist', async () => {
    const access = fakeAccess({ a: ['admin', 'read', 'infer'], b: ['infer', 'read'] });
    const { port } = await startHttpFace({ open: false, access });
    const as = (key: string) => ({ Authorization: `Bearer ${key}` });
    const key = makeObject(bytesOf(7, 8));
    // Only admin registers: the node may open what the client could not.
    expect((await register(port, 'r', { key, byte_size: 8 }, as('b'))).status).toBe(403);
    expect((await register(port, 'r', { key, byte_size: 8 }, as('a'))).status).toBe(200);
    const ask = async (who: string, region: string) => {
      const { method: verb, body } = request(slice(region), slice(region));
      return send(port, INFER, { method: verb, body, headers: as(who) });
    };
    expect((await ask('a', 'r')).status).toBe(200);
    const [foreign, missing] = [await ask('b', 'r'), await ask('b', 'none')];
    expect(foreign.status).toBe(404);
    expect(foreign.text.replace('\\"r\\"', '')).toBe(missing.text.replace('\\"none\\"', ''));
    const status = (who: string, path: string) => send(port, path, { headers: as(who) });
    expect((await status('b', '/v2/systemsharedmemory/status')).json).toEqual([]);
    expect((await status('b', '/v2/systemsharedmemory/region/r/status')).status).toBe(404);
    const others = { method: 'POST', headers: as('b') };
    expect((await send(port, '/v2/systemsharedmemory/unregister', others)).status).toBe(403);
  });
});

describe('over gRPC', () => {
  const text = (value: string) => ({ parameterChoice: { case: 'stringParam' as const, value } });
  const whole = (value: bigint) => ({ parameterChoice: { case: 'int64Param' as const, value } });
  const at = (region: string, size: bigint, offset?: bigint) => ({
    shared_memory_region: text(region),
    shared_memory_byte_size: whole(size),
    ...(offset === undefined ? {} : { shared_memory_offset: whole(offset) }),
  });

  test('one input comes from a region, another with the message, and an output goes to a region', async () => {
    const { client, inference } = await startGrpcFace();
    const from = makeObject(bytesOf(1, 2, 3));
    const to = makeObject(Buffer.alloc(16));
    await call(client, method.systemSharedMemoryRegister, {
      name: 'in',
      key: `/${from}`,
      byteSize: 12n,
    });
    await call(client, method.systemSharedMemoryRegister, { name: 'out', key: to, byteSize: 16n });
    const answer = await call(client, method.modelInfer, {
      modelName: 'echo',
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [1n, 2n], parameters: at('in', 8n, 4n) },
        { name: 'y', datatype: 'FP32', shape: [1n] },
      ],
      rawInputContents: [bytesOf(5)],
      outputs: [{ name: 'x', parameters: at('out', 12n, 4n) }, { name: 'y' }],
    });
    expect(inference.requests[0]!.inputs.size).toBe(2);
    expect(answer.rawOutputContents.map((one) => Buffer.from(one))).toEqual([
      Buffer.alloc(0),
      bytesOf(5),
    ]);
    expect(answer.outputs[0]!.parameters).toMatchObject(at('out', 12n, 4n));
    expect(floatsIn(contents(to))).toEqual([0, 2, 3, 0]);
  });

  test('regions are listed and removed; unknown ones and CUDA are refused', async () => {
    const { client } = await startGrpcFace();
    const key = makeObject(Buffer.alloc(8));
    await call(client, method.systemSharedMemoryRegister, { name: 'r', key, byteSize: 8n });
    const { regions } = await call(client, method.systemSharedMemoryStatus, {});
    expect(regions).toMatchObject({ r: { name: 'r', key, offset: 0n, byteSize: 8n } });
    await call(client, method.systemSharedMemoryUnregister, { name: '' });
    expect((await call(client, method.systemSharedMemoryStatus, {})).regions).toEqual({});
    expect((await failure(call(client, method.systemSharedMemoryStatus, { name: 'r' }))).code).toBe(
      5,
    );
    const cuda = await failure(call(client, method.cudaSharedMemoryRegister, { name: 'g' }));
    expect(cuda).toMatchObject({
      code: 9,
      details: expect.stringMatching(/SHARED_MEMORY_UNAVAILABLE/),
    });
    await call(client, method.cudaSharedMemoryUnregister, {});
    await call(client, method.cudaSharedMemoryStatus, {});
  });
});

test('Python sees through its own mapping what the node wrote', async () => {
  if (!existsSync('/usr/bin/python3')) return;
  const { port } = await startHttpFace();
  const script = `
import json, struct, sys, urllib.request
from multiprocessing import shared_memory
memory = shared_memory.SharedMemory(create=True, size=64)
memory.buf[:8] = struct.pack("<2f", 1.25, -4)
def post(path, value):
    data = json.dumps(value).encode()
    return urllib.request.urlopen(urllib.request.Request(sys.argv[1] + path, data=data)).read()
post("/v2/systemsharedmemory/region/r/register", {"key": memory.name, "offset": 0, "byte_size": 64})
slice = lambda offset: {"shared_memory_region": "r", "shared_memory_byte_size": 8, "shared_memory_offset": offset}
post("/v2/models/echo/infer", {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": slice(0)}],
    "outputs": [{"name": "x", "parameters": slice(16)}]})
print(struct.unpack("<2f", bytes(memory.buf[16:24])))
memory.close(); memory.unlink()`;
  const { stdout } = await run('/usr/bin/python3', ['-c', script, `http://127.0.0.1:${port}`]);
  expect(stdout.trim()).toBe('(1.25, -4.0)');
});
