/** Invalid images, sent to the OCR example on a real node, over HTTP and gRPC. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS, type ErrorBody } from '@skein/api';
import { texts, type OutputOf } from '@skein/api/client';
import { pngClaiming } from '../../../../../examples/ocr/testing/png-claiming.ts';
import { GRPCInferenceService } from '../../gateway/oip/grpc/proto/inference.gen.ts';
import { call, failure } from '../../testing/grpc-client.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';

const images = join(import.meta.dirname, '../../../../../examples/ocr/images');
const image = (file: string) => readFileSync(join(images, file));
/** For a machine that runs other tests at the same time. */
const TIMEOUT_MS = 30_000;

let node: NodeProcess;
let client: Client;
beforeAll(async () => {
  node = await startNodeProcess({ args: ['--example', 'ocr'] });
  client = new Client(node.grpcUrl, credentials.createInsecure());
}, 60_000);
afterAll(async () => {
  client.close();
  await node[Symbol.asyncDispose]();
});

async function expectItReads(): Promise<void> {
  const { outputs } = await node.client.infer<{ text: OutputOf<'string'> }>(
    'ocr',
    { image: { shape: [1], data: [image('street-sign.jpg')] } },
    { timeoutMs: TIMEOUT_MS },
  );
  expect(texts(outputs.text)).toEqual(['Baker Street']);
}

const invoice = image('invoice.png');
const hole = Buffer.from(invoice).fill(0, 2000, 6000);
const cases: [string, Uint8Array, RegExp][] = [
  ['nothing', new Uint8Array(0), /bytes are none/],
  ['text', Buffer.from('not an image'), /begin with 6e6f7420/],
  ['a GIF', Buffer.from('GIF89a\x01\x00\x01\x00\x00\x00\x00'), /not a PNG, JPEG or WebP/],
  ['the beginning of a PNG', invoice.subarray(0, 20), /PNG file cannot be decoded/],
  ['half of a PNG', invoice.subarray(0, invoice.length / 2), /PNG file cannot be decoded/],
  ['a PNG with a hole', hole, /PNG file cannot be decoded/],
  [
    'a JPEG that ends after its header',
    image('street-sign.jpg').subarray(0, 300),
    /JPEG file cannot be decoded/,
  ],
  [
    'a WebP that is cut off',
    image('upside-down.webp').subarray(0, 400),
    /WebP file cannot be decoded/,
  ],
  [
    '100,000 × 100,000 pixels in a few bytes',
    pngClaiming(100_000, 100_000),
    /claims 100000 × 100000 pixels/,
  ],
];
const { http, grpc } = ERRORS.IMAGE_INVALID;

/** Peak memory of the node, in MiB. */
const peakMiB = () =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'))![1]) / 1024;

describe.each(cases)('%s', (_, file, message) => {
  it('is refused over HTTP, and the next image is read', async () => {
    const response = await fetch(`${node.url}/v2/models/ocr/infer`, {
      method: 'POST',
      headers: {
        'inference-header-content-length': '0',
        'skein-timeout-ms': String(TIMEOUT_MS),
        accept: 'application/json',
      },
      body: file as Uint8Array<ArrayBuffer>,
    });
    const answer = (await response.json()) as ErrorBody;
    expect([response.status, answer.code]).toEqual([http, 'IMAGE_INVALID']);
    expect(answer.error).toMatch(message);
    await expectItReads();
  });

  it('is refused over gRPC, and the next image is read', async () => {
    const request = {
      modelName: 'ocr',
      inputs: [
        { name: 'image', datatype: 'BYTES', shape: [1n], contents: { bytesContents: [file] } },
      ],
    };
    const error = await failure(
      call(
        client,
        GRPCInferenceService.method.modelInfer,
        request,
        {},
        new Date(Date.now() + TIMEOUT_MS),
      ),
    );
    expect([error.code, error.metadata.get('skein-code')]).toEqual([grpc, ['IMAGE_INVALID']]);
    expect(error.details).toMatch(message);
    await expectItReads();
  });
});

it.skipIf(process.platform !== 'linux')('a claim of 30 GB costs no memory', async () => {
  const before = peakMiB();
  const claim = { image: { shape: [1], data: [pngClaiming(100_000, 100_000)] } };
  await Promise.all(
    Array.from({ length: 20 }, () =>
      expect(node.client.infer('ocr', claim, { timeoutMs: TIMEOUT_MS })).rejects.toMatchObject({
        code: 'IMAGE_INVALID',
      }),
    ),
  );
  expect(peakMiB() - before).toBeLessThan(200);
});
