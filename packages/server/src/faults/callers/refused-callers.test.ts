/** Rejected callers of a node with keys appear in the metrics, under a bounded set of names, and in the audit trail. */
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mlp } from '@skein/onnx';
import { runCli } from '../../../../cli/src/testing/cli.ts';
import { GRPCInferenceService } from '../../gateway/oip/grpc/proto/inference.gen.ts';
import { call, failure } from '../../testing/grpc-client.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const folder = testFolder();
let node: NodeProcess;
let secret: string;
beforeAll(async () => {
  const created = await runCli(['keys', 'create', '--scope', 'admin', '--json'], { cwd: folder });
  ({ secret } = JSON.parse(created.stdout) as { secret: string });
  node = await startNodeProcess({ folder, args: ['--keys', 'required'], key: secret });
  await node.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }));
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

async function post(path: string, key: string | undefined, body = '{}'): Promise<number> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`${node.url}${path}`, { method: 'POST', headers, body });
  await response.arrayBuffer();
  return response.status;
}

it(
  'refused logins of both faces are in the audit trail, without the key that was sent',
  { timeout: 120_000 },
  async () => {
    const wrong = `skein_0123456789ab_${'x'.repeat(43)}`;
    expect(await post('/v2/repository/models/risk/unload', wrong)).toBe(401);
    const grpc = new Client(node.grpcUrl, credentials.createInsecure());
    const { modelInfer } = GRPCInferenceService.method;
    const metadata = { authorization: `Bearer ${wrong}` };
    expect((await failure(call(grpc, modelInfer, { modelName: 'risk' }, metadata))).code).toBe(16);
    grpc.close();
    const logins = async () =>
      (await node.client.listAudit({ limit: 100 })).entries.filter(
        ({ action }) => action === 'login',
      );
    await expect
      .poll(async () => (await logins()).filter(({ outcome }) => outcome === 'KEY_INVALID'), {
        timeout: 90_000,
        interval: 500,
      })
      .toMatchObject([
        {
          actor: 'unknown',
          subject: 'infer',
          remote: expect.stringContaining('127.0.0.1') as string,
        },
        { actor: 'unknown', subject: 'admin', remote: '127.0.0.1' },
      ]);
    expect(JSON.stringify(await logins())).not.toContain('xxx');
  },
);

it('unknown models and versions are counted, but not under names from the client', async () => {
  for (let i = 0; i < 20; i++) {
    expect(await post(`/v2/models/made-up-${i}/infer`, secret)).toBe(404);
  }
  const grpc = new Client(node.grpcUrl, credentials.createInsecure());
  const authorization = `Bearer ${secret}`;
  const { modelInfer } = GRPCInferenceService.method;
  const request = {
    modelName: 'made-up',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1n] }],
    rawInputContents: [new Uint8Array(4)],
  };
  expect((await failure(call(grpc, modelInfer, request, { authorization }))).code).toBe(5);
  grpc.close();
  expect(await post('/v2/models/risk/versions/77/infer', secret)).toBe(404);
  expect(await post('/v2/models/risk/infer', secret, '{"inputs"')).toBe(400);
  expect(await post('/v2/models/risk/infer', undefined)).toBe(401);
  const response = await fetch(`${node.url}/metrics`, {
    headers: { authorization: `Bearer ${secret}` },
  });
  const page = await response.text();
  const refused = page
    .split('\n')
    .filter((line) => line.startsWith('skein_requests_refused_total'));
  expect(refused.toSorted()).toEqual([
    // From the previous test.
    'skein_requests_refused_total{deployment="(other)",code="KEY_INVALID"} 1',
    'skein_requests_refused_total{deployment="(other)",code="KEY_MISSING"} 1',
    'skein_requests_refused_total{deployment="(other)",code="MODEL_UNKNOWN"} 21',
    'skein_requests_refused_total{deployment="risk",code="BODY_NOT_JSON"} 1',
    'skein_requests_refused_total{deployment="risk",code="VERSION_UNKNOWN"} 1',
  ]);
  expect(page).not.toContain('made-up');
});
