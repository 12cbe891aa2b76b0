/** Streams end with their key: authorised once, a stream could stay open for as long as its client wants. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSqliteState, type State } from '@skein/state';
import { createAccess } from '../../access/access.ts';
import { grpcBudgets, GRPC_LIMITS } from './limits.ts';
import { codec } from '../../testing/grpc-client.ts';
import { GRPCInferenceService } from '../oip/grpc/proto/inference.gen.ts';
import { floats, startGrpcFace } from '../testing/grpc-face.ts';
import { framed, rawCall, rawSession } from '../testing/raw-grpc.ts';

let state: State;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
});
afterEach(() => state.close());

const STREAMS = [
  '/inference.GRPCInferenceService/ModelStreamInfer',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
] as const;
const message = framed(codec(GRPCInferenceService.method.modelInfer).serialize(floats(1)));

async function start(expiresInMs?: number) {
  const access = await createAccess({
    state,
    mode: 'keys',
    clock: { now: () => performance.now() },
  });
  const { key, secret } = await access.keys.create({
    label: 'test',
    tenant: 'ward',
    scopes: ['infer'],
    ...(expiresInMs === undefined
      ? {}
      : { expiresAt: new Date(Date.now() + expiresInMs).toISOString() }),
  });
  const budgets = grpcBudgets(GRPC_LIMITS);
  const { streams } = budgets;
  const face = await startGrpcFace({ access, budgets });
  const open = (path: string) => {
    const opened = rawCall(rawSession(face.port), path, { authorization: `Bearer ${secret}` });
    opened.stream.resume();
    return opened;
  };
  return { access, key, streams, open, inference: face.inference };
}

describe('an open stream', () => {
  test.each(STREAMS)('of %s ends at once when its key is revoked', async (path) => {
    const { access, key, open, streams } = await start();
    const { status } = open(path);
    await expect.poll(() => streams.heldBy('ward')).toBe(1);
    await access.keys.revoke(key.id);
    expect(await status).toMatchObject({ 'grpc-status': '16', 'skein-code': 'KEY_INVALID' });
    await expect.poll(() => streams.held).toBe(0);
  });

  test('with requests in flight ends, too, and cancels them', async () => {
    const { access, key, open, inference } = await start();
    const cancelled = Promise.withResolvers<void>();
    inference.answer = ({ cancellation, inputs }) =>
      new Promise((resolve) => {
        cancellation!.onCancel = () => {
          cancelled.resolve();
          resolve(inputs);
        };
      });
    const { stream, status } = open(STREAMS[0]);
    stream.write(message);
    await expect.poll(() => inference.requests.length).toBe(1);
    await access.keys.revoke(key.id);
    await cancelled.promise;
    expect(await status).toMatchObject({ 'grpc-status': '16' });
  });

  test('that has answered ends when its key expires', async () => {
    const { open } = await start(1500);
    const { stream, status } = open(STREAMS[0]);
    stream.write(message);
    await once(stream, 'data');
    expect(await status).toMatchObject({ 'grpc-status': '16', 'skein-code': 'KEY_INVALID' });
  });
});
