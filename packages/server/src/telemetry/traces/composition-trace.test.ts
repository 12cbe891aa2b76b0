/** The trace of a composition, on a whole node with a collector. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mlp, writeModel } from '@skein/onnx';
import { expect, it, onTestFinished } from 'vitest';
import { startTestNode } from '../../testing/test-node.ts';

const PIPELINE = join(import.meta.dirname, '../../../../serving/src/testing/pipeline.ts');
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}
interface Export {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: Span[] }[] }[];
}

/** A collector; its spans grow as they arrive. */
async function startCollector(): Promise<{ readonly url: string; readonly spans: Span[] }> {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as Export;
      for (const { scopeSpans } of resourceSpans) spans.push(...scopeSpans.flatMap((s) => s.spans));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans };
}

it('has the calls of the composition as children of its span', async () => {
  const { url, spans } = await startCollector();
  const node = await startTestNode({ otlpEndpoint: url });
  const { client } = node;
  for (const [name, sizes] of [
    ['first', [8, 8]],
    ['second', [8, 3]],
  ] as const) {
    const content = new Uint8Array(writeModel(mlp({ sizes: [...sizes], seed: 1 })));
    const { version } = await client.importModel({ name, content });
    await client.deploy({ name, version, settings: { oversubscribe: true } });
  }
  const { version } = await client.importComposition({ name: 'both', modulePath: PIPELINE });
  await client.deploy({ name: 'both', version, settings: { objective: { latencyMs: 30_000 } } });
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 8], data: Array(8).fill(1) }];
  const answer = await fetch(`${node.url}/v2/models/both/infer`, {
    method: 'POST',
    headers: { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` },
    body: JSON.stringify({ inputs }),
  });
  // Sends what is left.
  await node.close();
  expect(answer.status).toBe(200);
  const traced = spans.filter(({ traceId }) => traceId === TRACE_ID);
  const { spanId } = traced.find(({ name }) => name === 'infer both')!;
  const callees = traced.filter(({ parentSpanId, name }) => {
    return parentSpanId === spanId && name.startsWith('infer ');
  });
  expect(callees.map(({ name }) => name)).toEqual(['infer first', 'infer second']);
});
