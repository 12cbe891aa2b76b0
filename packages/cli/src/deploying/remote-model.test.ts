/** `skein deploy` of addresses, with a node and a server on loopback. */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mlp, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scikitClassifier } from '../../../onnx/src/testing/scikit-classifier.ts';
import { moveOut } from '../../../onnx/src/testing/small-models.ts';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';
import {
  startFileServer,
  type FileServer,
} from '../../../state/src/sources/testing/file-server.ts';
import { runCli } from '../testing/cli.ts';

interface Deployed {
  readonly version: {
    readonly digest: string;
    readonly metadata: Readonly<Record<string, string>>;
  };
}

let node: NodeProcess;
let server: FileServer;
beforeAll(async () => {
  node = await startNodeProcess();
  server = await startFileServer();
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await node.stop();
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const LOCAL = ['--allow-private', '--oversubscribe'];
const downloads = (): string[] => readdirSync(join(node.folder, '.skein/downloads'));

it('records the digest of the file, and refuses another where it is given', async () => {
  const file = writeModel(scikitClassifier('forest', [0, 1, 2]));
  server.files.set('/models/risk.onnx', file);
  const address = `${server.url}/models/risk.onnx`;
  const { version } = await node.json<Deployed>('deploy', `${address}?token=secret`, ...LOCAL);
  expect(version.metadata).toMatchObject({ sourceAddress: address, sourceDigest: sha256(file) });
  expect(downloads()).toEqual([]);
  const again = await node.json<Deployed>('deploy', address, '--digest', sha256(file), ...LOCAL);
  expect(again.version.digest).toBe(version.digest);
  server.files.set('/models/risk.onnx', writeModel(mlp({ sizes: [2, 3], seed: 1 })));
  const changed = await node.run('deploy', address, '--digest', sha256(file), ...LOCAL);
  expect(changed).toMatchObject({ code: 1, stderr: expect.stringContaining('SOURCE_CHANGED') });
  const local = await node.run('deploy', address);
  expect(local.stderr).toMatch(/SOURCE_PRIVATE[^]*--allow-private/);
});

it('takes the weights next to a model of a repository, under the name of the repository', async () => {
  const model = mlp({ sizes: [2, 3], seed: 2 });
  const entries = { location: 'model.onnx_data', offset: '0' };
  const commit = 'c'.repeat(40);
  server.files.set(`/owner/tiny/resolve/${commit}/onnx/model.onnx_data`, moveOut(model, entries));
  server.files.set(`/owner/tiny/resolve/${commit}/onnx/model.onnx`, writeModel(model));
  server.answers.set('/api/models/owner/tiny/revision/v1', (response) => {
    response.end(JSON.stringify({ sha: commit, siblings: [{ rfilename: 'onnx/model.onnx' }] }));
  });
  const env = { HF_ENDPOINT: server.url };
  const words = ['deploy', 'hf://owner/tiny@v1', ...LOCAL, '--json'];
  const { stdout, stderr } = await runCli(words, { cwd: node.folder, env });
  expect(stderr).toBe('');
  const { version } = JSON.parse(stdout) as Deployed & { version: { model: string } };
  expect(version).toMatchObject({
    model: 'tiny',
    digest: version.metadata['sourceDigest'],
    metadata: { sourceAddress: 'hf://owner/tiny@v1', sourceRevision: commit },
  });
});

it('keeps a download that broke off, and continues it', async () => {
  const file = writeModel(mlp({ sizes: [1024, 1024, 2], seed: 3 }));
  server.files.set('/models/large.onnx', file);
  server.cuts.push(2 ** 21, 0, 0, 0, 0);
  const broken = await node.run('deploy', `${server.url}/models/large.onnx`, ...LOCAL);
  expect(broken.stderr).toMatch(/SOURCE_UNREACHABLE[^]*continues its download/);
  server.cuts.length = 0;
  server.requests.length = 0;
  const { version } = await node.json<Deployed>(
    'deploy',
    `${server.url}/models/large.onnx`,
    ...LOCAL,
  );
  expect(version.digest).toBe(sha256(file));
  const [{ headers } = { headers: {} }] = server.requests;
  expect(Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1])).toBeGreaterThan(2 ** 20);
  expect(server.requests).toHaveLength(1);
});
