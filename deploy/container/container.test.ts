/** Builds the image and runs a node from it, hardened, as a person would on a server. */
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@skein/api';
import { mlp, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../packages/http/src/tls/testing/authority.ts';
import { requireComponent } from '../../scripts/testing/components.ts';
import { testFolder } from '../../scripts/testing/folder.ts';

const run = promisify(execFile);
const docker = requireComponent('docker');
const id = randomUUID().slice(0, 8);
const image = `skein-test-${id}`;
const volume = `skein-test-${id}`;

const dockerRun = async (...args: string[]): Promise<string> =>
  (await run('docker', args, { maxBuffer: 2 ** 24 })).stdout.trim();

const words = (line: string): string[] => line.split(' ');

interface Bom {
  readonly components: readonly { readonly group?: string; readonly name: string }[];
}

/** Output of a node until its last example has answered; then it is ended. */
async function outputUntilAnswer(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (/^Or ask [^]*│.*\n/m.test(output)) child.kill('SIGTERM');
  }
  await ended;
  return output;
}

/** Without times, ports, folders and the caller's key, which differ between two nodes. */
const steady = (output: string): string =>
  output
    .replaceAll(/\d[\d.]* m?s\b/g, 'TIME')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/(@|--image )\S*examples\//g, '$1examples/')
    .replace(/(Data +)\S+/, '$1FOLDER')
    .replaceAll(" -H 'Authorization: Bearer KEY'", '')
    .replaceAll('npx skein', 'skein')
    .replace(/API keys required|open to this machine/, 'ACCESS');

const HARDENED = [
  '--read-only',
  '--tmpfs',
  '/tmp',
  '--cap-drop',
  'ALL',
  '--security-opt',
  'no-new-privileges',
  '-v',
  `${volume}:/data`,
];

describe.skipIf(docker.skip)('the container image', () => {
  let container = '';

  beforeAll(async () => {
    const here = import.meta.dirname;
    await run(join(here, 'build.sh'), ['--tag', image], { maxBuffer: 2 ** 24 });
  }, 300_000);

  afterAll(async () => {
    if (container !== '') await dockerRun('rm', '-f', container);
    await dockerRun('volume', 'rm', '-f', volume);
    await dockerRun('rmi', '-f', image);
  }, 60_000);

  it('brings NOTICE and the bill of materials', async () => {
    const read = (file: string): Promise<string> =>
      dockerRun('run', '--rm', '--entrypoint', 'cat', image, `/opt/skein/${file}`);
    expect(await read('NOTICE')).toContain('onnxruntime-node');
    const { components } = JSON.parse(await read('skein.cdx.json')) as Bom;
    const names = components.map(
      ({ group, name }) => (group === undefined ? '' : `${group}/`) + name,
    );
    expect(names).toEqual(expect.arrayContaining(['@duckdb/node-api', 'preact', 'sharp', 'zod']));
    const folders = (
      await dockerRun(
        ...words('run --rm --entrypoint sh'),
        image,
        '-c',
        'cd node_modules && echo *-* @*/*-*',
      )
    ).split(' ');
    const native = /^(bare-|@esbuild\/|@img\/sharp-|@duckdb\/node-bindings-|node-linux-)/;
    expect(names.filter((name) => native.test(name)).toSorted()).toEqual(
      [...new Set(folders)].filter((name) => native.test(name)).toSorted(),
    );
  }, 60_000);

  it('runs as a user without rights, and checks its own health', async () => {
    const { User, Healthcheck } = JSON.parse(
      await dockerRun('inspect', '-f', '{{json .Config}}', image),
    ) as { User: string; Healthcheck: { Test: string[] } };
    expect(User).toBe('10001:10001');
    expect(Healthcheck.Test).toEqual(['CMD', 'node', 'deploy/container/healthcheck.ts']);
    const ids = 'id -u; id -g';
    await expect(dockerRun('run', '--rm', '--entrypoint', 'sh', image, '-c', ids)).resolves.toBe(
      '10001\n10001',
    );
  }, 60_000);

  it('has JavaScript alone for the command', async () => {
    const find = words('run --rm --entrypoint find');
    const files = await dockerRun(...find, image, 'node_modules/skein', '-name', '*.ts');
    expect(files).toBe('');
  }, 60_000);

  // A busy machine may refuse the example's request, and the node then prints the refusal.
  it('prints what npm start prints', { timeout: 240_000, retry: 2 }, async () => {
    const key = await dockerRun('run', '--rm', image, 'keys', 'generate');
    const keys = ['-e', `SKEIN_ADMIN_KEY=${key}`, '-e', `SKEIN_KEY=${key}`];
    const publish = ['-p', '127.0.0.1:0:4700'];
    const example = words('up --example ocr --host 0.0.0.0');
    const inImage = await outputUntilAnswer('docker', [
      'run',
      '--rm',
      ...publish,
      ...keys,
      image,
      ...example,
    ]);
    const start = words('up --example ocr --port 0 --grpc-port 0 --data');
    const cli = join(import.meta.dirname, '../../packages/cli/bin/skein.js');
    const inClone = await outputUntilAnswer(process.execPath, [cli, ...start, testFolder()]);
    expect(steady(inClone)).toContain('│ INVOICE');
    expect(steady(inImage)).toBe(steady(inClone));
  });

  it('is not built on a base that is only a tag', async () => {
    const build = run(join(import.meta.dirname, 'build.sh'), ['--base', 'debian:13', '--tag', 'x']);
    await expect(build).rejects.toThrow(/is not pinned/);
  }, 60_000);

  it('refuses to listen beyond loopback without a key, and shows how to make one', async () => {
    await expect(dockerRun('run', '--rm', ...HARDENED, image)).rejects.toThrow(/keys create/);
  }, 60_000);

  it('serves a model to a caller with a key, and drains on SIGTERM', async () => {
    const created = JSON.parse(
      await dockerRun(
        'run',
        '--rm',
        ...HARDENED,
        image,
        'keys',
        'create',
        '--label',
        'test',
        '--scope',
        'admin',
        '--json',
      ),
    ) as { secret: string };
    container = await dockerRun('run', '-d', '-p', '127.0.0.1:0:4700', ...HARDENED, image);
    const port = (await dockerRun('port', container, '4700/tcp')).split(':').at(-1);
    const url = `http://127.0.0.1:${port}`;
    await expect
      .poll(
        () =>
          fetch(`${url}/v2/health/ready`).then(
            (r) => r.ok,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(true);

    const client = createClient({ url, key: created.secret });
    const model = writeModel(mlp({ sizes: [4, 8, 3], seed: 1 }));
    const { version } = await client.importModel({ name: 'tiny', content: new Uint8Array(model) });
    await client.deploy({ name: 'tiny', version });
    const { outputs } = await client.infer('tiny', {
      x: { shape: [1, 4], data: new Float32Array([1, 2, 3, 4]) },
    });
    const [answer] = Object.values(outputs);
    expect(answer?.shape).toEqual([1, 3]);
    expect([...(answer?.data ?? [])].every((value) => Number.isFinite(value))).toBe(true);
    await expect(fetch(`${url}/api/v1/deployments`).then((r) => r.status)).resolves.toBe(401);
    await expectHealthy();

    await dockerRun('stop', '-t', '20', container);
    await expect(dockerRun('inspect', '-f', '{{.State.ExitCode}}', container)).resolves.toBe('0');
    await dockerRun('rm', container);
  }, 120_000);

  it('is ready over mutual TLS too', async () => {
    const folder = testFolder();
    const authority = createAuthority(folder, 'ca');
    authority.issue('node');
    await run('chmod', ['-R', 'a+rX', folder]);
    container = await dockerRun(
      ...words(`run -d -v ${folder}:/tls:ro -e SKEIN_CERT=/tls/ca-node.pem`),
      ...words('-e SKEIN_CERT_KEY=/tls/ca-node.key'),
      ...HARDENED,
      ...words(`${image} up --host 0.0.0.0 --tls-client-ca /tls/ca.pem`),
      ...words('--tls-cert /tls/ca-node.pem --tls-key /tls/ca-node.key'),
    );
    await expectHealthy();
  }, 120_000);

  /** By the check that the image brings. */
  const expectHealthy = (): Promise<void> =>
    expect
      .poll(() => dockerRun('inspect', '-f', '{{.State.Health.Status}}', container), {
        timeout: 60_000,
        interval: 500,
      })
      .toBe('healthy');
});
