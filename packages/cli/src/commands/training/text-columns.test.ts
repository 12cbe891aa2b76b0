/** A table with texts in it, trained and served: clients send the texts. */
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import type { Run } from '@skein/api';
import { createClient } from '@skein/api/client';
import { readModel, seededRandom, signatureOf, stringTensor, tensor } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GRPC_INFER_PATH, grpcBody, type Tensors } from '@skein/load';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';

interface Trained {
  readonly run: Run;
  readonly model: string;
}

interface Answered {
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

const RATES: Readonly<Record<string, number>> = { Berlin: 0.9, Paris: 0.1, Oslo: 0.5 };
const CITIES = Object.keys(RATES);
const data = ['--data', 'table.csv', '--label', 'ill'];

/** A machine that is busy with other tests is not what is tested here. */
const PATIENCE_MS = 20_000;

let node: NodeProcess;
let trained: Trained;

beforeAll(async () => {
  node = await startNodeProcess();
  const random = seededRandom(4);
  const lines = Array.from({ length: 600 }, (_, row) => {
    const city = CITIES[row % 3]!;
    return `${20 + 60 * random.next()},${city},${random.next() < RATES[city]! ? 'yes' : 'no'}`;
  });
  await writeFile(join(node.folder, 'table.csv'), ['age,city,ill', ...lines].join('\n'));
  const plan = ['--lr', '0.05', '--epochs', '10', '--deploy', 'risk', '--out', 'risk.onnx'];
  trained = await node.json<Trained>('train', '--model', 'mlp', ...data, ...plan);
}, 60_000);
afterAll(() => node.stop());

const ageOf = (...numbers: number[]) => Float32Array.from(numbers);

/** The probabilities of `yes`, over HTTP as JSON. */
async function ask(age: readonly number[], city: readonly string[]): Promise<number[]> {
  const response = await fetch(`${node.url}/v2/models/risk/infer`, {
    method: 'POST',
    headers: { 'skein-timeout-ms': String(PATIENCE_MS) },
    body: JSON.stringify({
      inputs: [
        { name: 'age', datatype: 'FP32', shape: [age.length], data: age },
        { name: 'city', datatype: 'BYTES', shape: [city.length], data: city },
      ],
    }),
  });
  expect(response.status).toBe(200);
  const { outputs } = (await response.json()) as Answered;
  return outputs[0]!.data.filter((_, i) => i % 2 === 1);
}

it('takes the columns of the table by their names', async () => {
  const { inputs } = signatureOf(readModel(await readFile(trained.model)));
  expect(inputs).toEqual([
    { name: 'age', type: 'float32', shape: ['batch'] },
    { name: 'city', type: 'string', shape: ['batch'] },
  ]);
  const found = await ask([50, 50, 50], CITIES);
  CITIES.forEach((city, i) => expect(Math.abs(found[i]! - RATES[city]!)).toBeLessThan(0.15));
});

it('answers the command, one row or several', async () => {
  const infer = async (row: object) => {
    const { outputs } = await node.json<{
      readonly outputs: { readonly probabilities: { readonly data: readonly number[][] } };
    }>('infer', 'risk', '--timeout', '20s', '--data', JSON.stringify(row));
    return outputs.probabilities.data.map(([, yes]) => yes);
  };
  const [berlin, paris, oslo] = await ask([50, 50, 31], CITIES);
  const close = (number: number | undefined) => expect.closeTo(number!, 6) as number;
  expect(await infer({ age: [50], city: ['Berlin'] })).toEqual([close(berlin)]);
  expect(await infer({ age: [50, 31], city: ['Paris', 'Oslo'] })).toEqual([paris, oslo].map(close));
});

it('gives a text that was in no row no influence', async () => {
  const [unknown, other, empty] = await ask([50, 50, 50], ['Atlantis', 'Ys', '']);
  expect(unknown).toBe(other);
  expect(unknown).toBe(empty);
  expect(Number.isFinite(unknown)).toBe(true);
  expect(await ask([50], ['berlin'])).not.toEqual(await ask([50], ['Berlin']));
});

it('refuses a row that lacks a column, or has numbers for texts', async () => {
  const client = createClient({ url: node.url });
  const age = { shape: [1], type: 'float32' as const, data: ageOf(50) };
  await expect(client.infer('risk', { age })).rejects.toMatchObject({ code: 'INPUT_MISSING' });
  await expect(client.infer('risk', { age, city: age })).rejects.toMatchObject({
    code: 'INPUT_DATATYPE',
  });
});

it('answers the same over gRPC', async () => {
  const session = connect(`http://${node.grpcUrl}`);
  try {
    const answer = await overGrpc(session, {
      age: tensor('float32', [2], ageOf(50, 31)),
      city: stringTensor([2], ['Oslo', 'Atlantis']),
    });
    const client = createClient({ url: node.url });
    const rows = {
      age: { shape: [2], type: 'float32' as const, data: ageOf(50, 31) },
      city: { shape: [2], type: 'string' as const, data: ['Oslo', 'Atlantis'] },
    };
    const { outputs } = await client.infer('risk', rows, { timeoutMs: PATIENCE_MS });
    const { buffer, byteOffset, byteLength } = outputs['probabilities']!.data as Float32Array;
    expect(answer.includes(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
  } finally {
    session.close();
  }
});

it('is trained further on the table as it is', async () => {
  const plan = ['--lr', '0.0001', '--epochs', '1', '--out', 'further.onnx'];
  const further = await node.json<Trained>('train', 'risk.onnx', ...data, ...plan);
  expect(further.run.epochs[0]!.loss).toBeLessThan(trained.run.epochs[0]!.loss);
  const inputs = async ({ model }: Trained) => signatureOf(readModel(await readFile(model))).inputs;
  expect(await inputs(further)).toEqual(await inputs(trained));
});

async function overGrpc(session: ClientHttp2Session, inputs: Tensors): Promise<Buffer> {
  const { body } = grpcBody('risk', undefined, inputs);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(body.byteLength, 1);
  const call = session.request({
    ':method': 'POST',
    ':path': GRPC_INFER_PATH,
    'content-type': 'application/grpc',
    'grpc-timeout': `${PATIENCE_MS}m`,
    te: 'trailers',
  });
  const status = new Promise<string>((resolve) => {
    call.once('response', ({ 'grpc-status': early }) => {
      if (early !== undefined) resolve(String(early));
    });
    call.once('trailers', (trailers) => resolve(String(trailers['grpc-status'])));
  });
  call.end(Buffer.concat([frame, body]));
  const chunks: Buffer[] = [];
  for await (const chunk of call) chunks.push(chunk as Buffer);
  expect(await status).toBe('0');
  return Buffer.concat(chunks);
}
