/** Triton's trace and log settings: readable, and a change says how it is made. */
import { expect, test } from 'vitest';
import { fakeAccess } from '../../testing/fake-inference.ts';
import { call, failure } from '../../testing/grpc-client.ts';
import { startGrpcFace } from '../testing/grpc-face.ts';
import { post, send, startHttpFace } from '../testing/http-face.ts';
import { GRPCInferenceService } from './grpc/proto/inference.gen.ts';
import { logSettings } from './settings.ts';

test('HTTP reads them', async () => {
  const { port } = await startHttpFace({ settings: { traced: true, logLevel: 'warn' } });
  const traced = { trace_level: ['TIMESTAMPS'], trace_rate: '1', trace_mode: 'opentelemetry' };
  for (const path of ['/v2/trace/setting', '/v2/trace', '/v2/models/echo/trace/setting']) {
    expect((await send(port, path)).json).toMatchObject(traced);
  }
  expect((await send(port, '/v2/models/ghost/trace/setting')).status).toBe(404);
  expect((await send(port, '/v2/logging')).json).toMatchObject({
    log_info: false,
    log_warnings: true,
  });
  expect((await send(port, '/v2/logging', post('{}'))).json).toMatchObject({ log_errors: true });
});

test('a caller without a key does not learn which models exist', async () => {
  const { port } = await startHttpFace({ open: false, access: fakeAccess({ r: ['read'] }) });
  const read = (model: string, headers = {}) =>
    send(port, `/v2/models/${model}/trace/setting`, { headers });
  expect([(await read('echo')).status, (await read('ghost')).status]).toEqual([401, 401]);
  expect((await read('ghost', { Authorization: 'Bearer r' })).status).toBe(404);
});

test('a change is refused with the option that makes it', async () => {
  const { port } = await startHttpFace();
  const trace = await send(port, '/v2/trace/setting', post('{"trace_rate":"5"}'));
  expect(trace).toMatchObject({
    status: 400,
    json: { error: expect.stringMatching(/"trace_rate".*skein up --otlp/) },
  });
  const log = await send(port, '/v2/logging', post('{"log_verbose_level":1}'));
  expect(log.text).toMatch(/log_verbose_level.*--log-level/);
});

test('gRPC reads and refuses as HTTP does', async () => {
  const { client } = await startGrpcFace();
  const { traceSetting, logSettings: logs } = GRPCInferenceService.method;
  const { settings } = await call(client, traceSetting, {});
  expect(settings['trace_level']).toMatchObject({ value: ['OFF'] });
  const log = await call(client, logs, {});
  expect(log.settings['log_info']).toMatchObject({ parameterChoice: { value: true } });
  expect(log.settings['log_verbose_level']).toMatchObject({ parameterChoice: { value: 0 } });
  const change = { settings: { trace_rate: { value: ['5'] } } };
  expect((await failure(call(client, traceSetting, change))).details).toMatch(/--otlp/);
});

test('levels follow the one that the node was started with', () => {
  const levels = (logLevel: 'debug' | 'info' | 'warn' | 'error') => {
    const { log_verbose_level, log_info, log_warnings, log_errors } = logSettings({
      traced: false,
      logLevel,
    });
    return [log_verbose_level, log_info, log_warnings, log_errors];
  };
  expect(levels('debug')).toEqual([1, true, true, true]);
  expect(levels('info')).toEqual([0, true, true, true]);
  expect(levels('error')).toEqual([0, false, false, true]);
});
