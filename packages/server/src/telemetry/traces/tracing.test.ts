import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Inference, InferenceAnswer, InferenceRequest, TraceContext } from '@skein/serving';
import { startTracing, type Tracing } from './tracing.ts';

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { key: string; value: Record<string, unknown> }[];
  readonly status: { code: number };
}
interface Export {
  readonly resourceSpans: {
    resource: { attributes: { key: string; value: Record<string, unknown> }[] };
    scopeSpans: { spans: SentSpan[] }[];
  }[];
}

/** A collector: accepts OTLP/HTTP in JSON and keeps the received spans. */
let collector: Server;
let endpoint: string;
let exports: Export[];
let tracing: Tracing;
const warnings: string[] = [];
beforeEach(async () => {
  exports = [];
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url !== '/v1/traces') return void response.writeHead(404).end();
      exports.push(JSON.parse(Buffer.concat(chunks).toString()) as Export);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const started = await startTracing({
    endpoint,
    version: '9',
    warn: (text) => warnings.push(text),
  });
  if (!started) throw new Error('a configured endpoint starts tracing');
  tracing = started;
});
afterEach(async () => {
  await tracing.close();
  collector.closeAllConnections();
  collector.close();
  await once(collector, 'close');
});

const answer: InferenceAnswer = {
  version: '3',
  outputs: new Map(),
  times: { queueMs: 4, computeMs: 2, batchRows: 5 },
  cached: false,
};
const request = (changes: Partial<InferenceRequest> = {}): InferenceRequest => ({
  id: 'r1',
  deployment: 'risk',
  inputs: new Map([['x', { type: 'uint8', shape: [8], bytes: Buffer.from('payload!') }]]),
  arrivedAt: performance.now() - 10,
  priority: 0,
  tenant: 'ward',
  protocol: 'http',
  ...changes,
});
function inferenceBy(infer: Inference['infer']): Inference {
  return {
    infer,
    describe: () => {
      throw new Error('not asked');
    },
    list: () => [],
    isReady: (name) => name === 'risk',
  };
}
async function spans(): Promise<SentSpan[]> {
  await tracing.close();
  return exports.flatMap((each) =>
    each.resourceSpans.flatMap((one) => one.scopeSpans.flatMap((scope) => scope.spans)),
  );
}
const named = (all: SentSpan[], name: string): SentSpan => {
  const found = all.filter((span) => span.name === name);
  expect(found).toHaveLength(1);
  return found[0] as SentSpan;
};
const attributes = (span: SentSpan) =>
  Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
const startMs = (span: SentSpan) => Number(span.startTimeUnixNano) / 1e6;
const lengthMs = (span: SentSpan) =>
  (Number(span.endTimeUnixNano) - Number(span.startTimeUnixNano)) / 1e6;

describe('traces over OTLP', () => {
  it('send a request with its stages as children', async () => {
    const inference = tracing.wrap(inferenceBy(async () => answer));
    expect(inference.isReady('risk')).toBe(true);
    const sent = request();
    expect(await inference.infer(sent)).toBe(answer);
    const all = await spans();
    expect(all).toHaveLength(4);
    const infer = named(all, 'infer risk');
    const [queue, batch, compute] = ['queue', 'batch', 'compute'].map((name) =>
      named(all, name),
    ) as [SentSpan, SentSpan, SentSpan];
    expect(infer.parentSpanId).toBeUndefined();
    expect([queue.parentSpanId, batch.parentSpanId, compute.parentSpanId]).toEqual([
      infer.spanId,
      infer.spanId,
      batch.spanId,
    ]);
    expect(infer.kind).toBe(2);
    expect(startMs(infer)).toBeCloseTo(performance.timeOrigin + sent.arrivedAt, 2);
    // Times since the epoch have steps of a quarter of a microsecond.
    expect(lengthMs(infer)).toBeGreaterThan(10 - 1e-3);
    expect(lengthMs(queue)).toBeCloseTo(4, 2);
    expect(startMs(batch)).toBeCloseTo(startMs(infer) + 4, 2);
    expect(lengthMs(compute)).toBeCloseTo(2, 2);
    expect(attributes(infer)).toEqual({
      'skein.request.id': 'r1',
      'skein.deployment': 'risk',
      'skein.protocol': 'http',
      'skein.tenant': 'ward',
      'skein.version': '3',
      'skein.cached': false,
    });
    expect(attributes(batch)).toEqual({ 'skein.batch.rows': 5 });
    const resource = exports[0]?.resourceSpans[0]?.resource.attributes ?? [];
    expect(resource).toContainEqual({ key: 'service.name', value: { stringValue: 'skein' } });
  });

  it('continue the caller’s trace, and calls of a composition its trace', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const seen: (TraceContext | undefined)[] = [];
    const inference: Inference = tracing.wrap(
      inferenceBy(async (asked) => {
        seen.push(asked.trace);
        if (asked.deployment === 'ocr') {
          await inference.infer(
            request({ deployment: 'detect', protocol: 'internal', trace: asked.trace }),
          );
        }
        return { ...answer, cached: true };
      }),
    );
    await inference.infer(
      request({
        deployment: 'ocr',
        trace: { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=1' },
      }),
    );
    const all = await spans();
    const outer = named(all, 'infer ocr');
    const inner = named(all, 'infer detect');
    expect([outer.traceId, inner.traceId]).toEqual([traceId, traceId]);
    expect(outer.parentSpanId).toBe('b7ad6b7169203331');
    expect(inner.parentSpanId).toBe(outer.spanId);
    expect(inner.kind).toBe(1);
    expect(seen).toEqual([
      { traceparent: `00-${traceId}-${outer.spanId}-01`, tracestate: 'vendor=1' },
      { traceparent: `00-${traceId}-${inner.spanId}-01`, tracestate: 'vendor=1' },
    ]);
  });

  it('pass the context of an unsampled request on unchanged', async () => {
    const sent = request({
      trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' },
    });
    let seen: InferenceRequest | undefined;
    const inference = tracing.wrap(
      inferenceBy(async (asked) => {
        seen = asked;
        return answer;
      }),
    );
    await inference.infer(sent);
    expect(seen).toBe(sent);
    expect(await spans()).toEqual([]);
  });

  it('have the reason of a failure, and distinguish faults from mistakes of the caller', async () => {
    for (const error of [
      new SkeinError('QUEUE_FULL', 'full'),
      new SkeinError('INPUT_SHAPE', 'wrong'),
      new TypeError('a bug with a secret in its message'),
    ]) {
      const inference = tracing.wrap(inferenceBy(() => Promise.reject(error)));
      await expect(inference.infer(request())).rejects.toBe(error);
    }
    const all = await spans();
    expect(all.map((span) => [attributes(span)['error.type'], span.status.code])).toEqual([
      ['QUEUE_FULL', 2],
      ['INPUT_SHAPE', 0],
      ['INTERNAL', 2],
    ]);
    expect(JSON.stringify(exports)).not.toMatch(/secret|payload!|cGF5bG9hZCE/);
  });

  it('warn in one line, without a stack, when the collector takes none', async () => {
    collector.removeAllListeners('request');
    collector.on('request', (_, response: ServerResponse) => response.writeHead(404).end());
    await tracing.wrap(inferenceBy(async () => answer)).infer(request());
    await tracing.close();
    expect(warnings.splice(0)).toEqual(['Traces cannot be sent: Not Found (404)']);
  });

  it('close within their timeout if the collector does not answer', async () => {
    collector.removeAllListeners('request');
    const inference = tracing.wrap(inferenceBy(async () => answer));
    await inference.infer(request());
    await tracing.close();
    expect(exports).toEqual([]);
  });

  it('refuse an address that is none, and name the place where it was given', async () => {
    const started = startTracing({ endpoint: 'collector:4318', version: '9', warn: () => {} });
    await expect(started).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/^--otlp: "collector:4318" is not the URL of a collector/),
    });
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'none');
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(startTracing({ version: '9', warn: () => {} })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/^OTEL_EXPORTER_OTLP_ENDPOINT: "none" is not/),
    });
  });

  it('are not even loaded when no collector is configured', () => {
    const script = `
      const { startTracing } = await import(${JSON.stringify(join(import.meta.dirname, 'tracing.ts'))});
      const { registerHooks } = await import('node:module');
      registerHooks({ load(url, context, next) {
        if (url.includes('opentelemetry')) console.log(url);
        return next(url, context);
      } });
      console.log(await startTracing({ version: '1', warn() {} }));
      process.env.OTEL_EXPORTER_OTLP_ENDPOINT = '${endpoint}';
      process.env.OTEL_SDK_DISABLED = 'true';
      console.log(await startTracing({ version: '1', warn() {} }));
      process.env.OTEL_SDK_DISABLED = '';
      console.log(typeof (await startTracing({ version: '1', warn() {} })).wrap);`;
    const { OTEL_EXPORTER_OTLP_ENDPOINT: _, ...env } = process.env;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], { env });
    const lines = ran.stdout.toString().trim().split('\n');
    expect(lines.slice(0, 2)).toEqual(['undefined', 'undefined']);
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.at(-1)).toBe('function');
  });
});
