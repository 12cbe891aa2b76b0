/** The largest and most expensive gRPC messages, against a node in its own process. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { connect, type ClientHttp2Session } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '@skein/onnx';
import { runCli } from '../../../../cli/src/testing/cli.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { framed, rawCall, repeated } from '../../gateway/testing/raw-grpc.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const MIB = 2 ** 20;
const SIZE = 63 * MIB;
const SERVICE = '/inference.GRPCInferenceService';

const folder = testFolder();
let node: NodeProcess;
let authorization: string;
let session: ClientHttp2Session;
beforeAll(async () => {
  const created = await runCli(
    ['keys', 'create', '--scope', 'infer', '--scope', 'admin', '--json'],
    { cwd: folder },
  );
  const { secret } = JSON.parse(created.stdout) as { secret: string };
  authorization = `Bearer ${secret}`;
  node = await startNodeProcess({ folder, args: ['--keys', 'required'], key: secret });
  const graph = new GraphBuilder('echo');
  const [y] = graph.node('Identity', [graph.input('x', 'int64', ['n'])]);
  graph.output(y, 'int64', ['n']);
  await node.deploy('echo', graph.model(), { objective: { latencyMs: 60_000 } });
  session = connect(`http://${node.grpcUrl}`);
  session.on('error', () => {});
});
afterAll(async () => {
  session.destroy();
  await node[Symbol.asyncDispose]();
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

/** A request with one input of integers, and these typed contents. */
function integers(count: number, contents: Uint8Array): Buffer {
  const input = [
    field(1, Buffer.from('x')),
    field(2, Buffer.from('INT64')),
    field(3, varint(count)),
    field(5, contents),
  ];
  return Buffer.concat([field(1, Buffer.from('echo')), field(5, Buffer.concat(input))]);
}

async function send(
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<string> {
  const { stream, status } = rawCall(session, `${SERVICE}/${path}`, headers);
  stream.resume();
  stream.end(body);
  const { 'skein-code': code, 'grpc-status': number } = await status;
  return String(code ?? number);
}

/** Memory of the node's process in megabytes. */
function residentMib(): number {
  const status = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) / 1024;
}

describe('a request with a key', { timeout: 120_000 }, () => {
  it.each<[string, () => Buffer, string]>([
    [
      'integers that take eight times their bytes',
      () => integers(SIZE, field(3, Buffer.alloc(SIZE))),
      'BODY_TOO_LARGE',
    ],
    [
      'integers one by one, of no count',
      () => integers(1, repeated([0x18, 0], SIZE / 2)),
      'INPUT_DATA',
    ],
    ['empty lists', () => integers(1, repeated([0x1a, 0], SIZE / 2)), 'INPUT_DATA'],
    ['inputs', () => repeated([0x2a, 0], SIZE / 2), 'REQUEST_INVALID'],
    ['outputs', () => repeated([0x32, 0], SIZE / 2), 'REQUEST_INVALID'],
    ['raw contents', () => repeated([0x3a, 0], SIZE / 2), 'REQUEST_INVALID'],
    ['parameters', () => repeated([0x22, 0], SIZE / 2), 'REQUEST_INVALID'],
    ['names', () => repeated([0x0a, 0], SIZE / 2), 'REQUEST_INVALID'],
    ['unknown fields', () => repeated([0xa0, 0x06, 1], SIZE / 3), 'REQUEST_INVALID'],
    ['groups', () => repeated([0x7b, 0x7c], SIZE / 2), 'REQUEST_INVALID'],
    ['groups in groups', () => Buffer.alloc(SIZE, 0x7b), 'REQUEST_INVALID'],
    ['a name without end', () => field(1, Buffer.alloc(SIZE, 'x')), 'REQUEST_INVALID'],
    [
      'a parameter of parameters',
      () => field(4, field(2, repeated([0x0a, 0], SIZE / 2))),
      'MODEL_UNKNOWN',
    ],
  ])('of %s is refused, and the memory of the node is bounded', async (_, message, code) => {
    const idle = residentMib();
    expect(await send('ModelInfer', framed(message()), { authorization })).toBe(code);
    // The message itself, its copy in another thread, and garbage that V8 has not collected.
    expect(residentMib() - idle).toBeLessThan(512);
    expect(await send('ServerLive', framed(Buffer.alloc(0)))).toBe('0');
  });

  it('with a text that is cut inside a character is refused', async () => {
    const value = field(3, Buffer.from(`${'x'.repeat(55)}😀${'x'.repeat(20)}`));
    const parameter = Buffer.concat([field(1, Buffer.from('timeout')), field(2, value)]);
    const body = framed(Buffer.concat([integers(1, field(3, Buffer.of(1))), field(4, parameter)]));
    expect(await send('ModelInfer', body, { authorization })).toBe('REQUEST_INVALID');
    expect(await send('ServerLive', framed(Buffer.alloc(0)))).toBe('0');
  });
});

it('without a key, sixty bombs at once cost next to nothing', { timeout: 60_000 }, async () => {
  const bomb = framed(gzipSync(repeated([0xa0, 0x06, 0x01], SIZE / 3)), true);
  const idle = residentMib();
  const gzip = { 'grpc-encoding': 'gzip' };
  const codes = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      send(index % 2 === 0 ? 'ServerLive' : 'ModelInfer', bomb, gzip),
    ),
  );
  expect(new Set(codes)).toEqual(new Set(['BODY_TOO_LARGE', 'KEY_MISSING']));
  expect(residentMib() - idle).toBeLessThan(128);
});
