/**
 * Starts the composition's services by their own commands, environment and configuration, on ports of the test: nodes
 * and workers from source, Redis and HAProxy of Debian, and moto for the store. Of the other images only what
 * `compose.test.ts` reads is checked.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@skein/api/client';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startCli } from '../../packages/cli/src/testing/cli.ts';
import { freePort } from '../../packages/jobs/src/worker/free-port.ts';
import { startMotoServer } from '../../packages/state/src/artifacts/testing/moto-server.ts';
import { requireComponent } from '../../scripts/testing/components.ts';
import { testFolder } from '../../scripts/testing/folder.ts';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '../..');
const PATIENT = { timeout: 60_000 };

interface Service {
  readonly image: string;
  readonly command: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes?: readonly { readonly type: string; readonly source: string }[];
}

const skip =
  requireComponent('docker-compose').skip ||
  requireComponent('haproxy').skip ||
  requireComponent('redis').skip ||
  requireComponent('python3-moto').skip;

describe.skipIf(skip)('the services of the composition', () => {
  let services: Readonly<Record<string, Service>>;
  const serviceOf = (name: string): Service & { readonly command: readonly string[] } => {
    const { command, ...service } = services[name]!;
    return { ...service, command: command ?? [] };
  };

  beforeAll(() => {
    services = composed();
  });

  it('have the files that they mount, and a check where another waits for their health', () => {
    for (const [name, { volumes = [], depends_on = {} }] of Object.entries(services)) {
      for (const { type, source } of volumes) {
        if (type === 'bind') expect(existsSync(source), `${name}: ${source}`).toBe(true);
      }
      for (const [other, { condition }] of Object.entries(depends_on)) {
        if (condition !== 'service_healthy') continue;
        expect(services[other]?.healthcheck?.test, `${name} waits for ${other}`).toBeDefined();
      }
    }
  });

  it('start by their commands, and are healthy by their checks', { timeout: 180_000 }, async () => {
    const redisPort = await freePort('127.0.0.1');
    const redis = serviceOf('redis');
    const [program = '', ...flags] = redis.command;
    start(program, [...flags, '--port', String(redisPort), '--dir', testFolder()]);
    const [, client = '', ...checks] = redis.healthcheck?.test ?? [];
    const ping = () =>
      run(client, ['-p', String(redisPort), ...checks], redis.environment).stdout.trim();
    await expect.poll(ping, PATIENT).toBe('PONG');

    await using moto = await startMotoServer();
    await moto.bucket('skein');
    /** The environment of a service, with the addresses that its neighbours have here. */
    const environmentOf = (name: string): Record<string, string> =>
      Object.fromEntries(
        Object.entries(serviceOf(name).environment ?? {}).map(([variable, value]) => [
          variable,
          value
            .replace('redis:6379', `127.0.0.1:${redisPort}`)
            .replace('http://s3:8333', moto.endpoint),
        ]),
      );

    const nodePort = await freePort('127.0.0.1');
    const data = testFolder();
    const nodeEnvironment: Record<string, string> = {
      ...environmentOf('node-1'),
      SKEIN_DATA: data,
    };
    const ports = ['--port', String(nodePort), '--grpc-port', '0'];
    startSkein([...serviceOf('node-1').command, ...ports], nodeEnvironment);
    const check = /HEALTHCHECK[\s\S]*?CMD (\[.*\])/.exec(
      readFileSync(join(ROOT, 'deploy/container/Dockerfile'), 'utf8'),
    )![1]!;
    const [, ...ofCheck] = JSON.parse(check) as string[];
    const healthy = () => run(process.execPath, ofCheck, nodeEnvironment).status;
    await expect.poll(healthy, PATIENT).toBe(0);

    startSkein(serviceOf('worker').command, {
      ...environmentOf('worker'),
      SKEIN_DATA: testFolder(),
    });
    const url = `http://127.0.0.1:${nodePort}`;
    const node = createClient({ url, key: nodeEnvironment['SKEIN_ADMIN_KEY']! });
    await expect.poll(async () => (await node.listWorkers()).workers, PATIENT).toHaveLength(1);
    const key = nodeEnvironment['SKEIN_READ_KEY'];
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
    expect([metrics.status, await metrics.text()]).toEqual([
      200,
      expect.stringContaining('skein_workers'),
    ]);

    const balancerPort = await freePort('127.0.0.1');
    start('haproxy', ['-f', join(HERE, 'haproxy.cfg')], {
      BALANCER: `127.0.0.1:${balancerPort}`,
      NODE_1: `127.0.0.1:${nodePort}`,
      NODE_2: '127.0.0.1:1',
      NODE_3: '127.0.0.1:1',
    });
    const throughBalancer = () =>
      fetch(`http://127.0.0.1:${balancerPort}/v2/health/ready`).then(
        ({ status, headers }) => `${status} ${headers.get('skein-node')}`,
        () => 'no connection',
      );
    await expect.poll(throughBalancer, PATIENT).toBe('200 node-1');
  });
});

/** The composition as Docker Compose reads it, with the keys that `up.sh` makes. */
function composed(): Readonly<Record<string, Service>> {
  const folder = testFolder();
  copyFileSync(join(HERE, 'up.sh'), join(folder, 'up.sh'));
  writeFileSync(join(folder, 'docker'), '#!/bin/sh\n');
  chmodSync(join(folder, 'docker'), 0o755);
  const up = run('bash', [join(folder, 'up.sh')], { PATH: `${folder}:${process.env['PATH']}` });
  expect(up.status, up.stderr).toBe(0);
  const files = ['--env-file', join(folder, '.env'), '-f', join(HERE, 'compose.yaml')];
  const { status, stdout, stderr } = run('docker-compose', [
    ...files,
    'config',
    '--format',
    'json',
  ]);
  expect([status, stderr]).toEqual([0, '']);
  return (JSON.parse(stdout) as { services: Record<string, Service> }).services;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(program, args, { encoding: 'utf8', cwd: ROOT, env: { ...process.env, ...env } });
}

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
}

function startSkein(args: readonly string[], env: Readonly<Record<string, string>>): void {
  const { process: child } = startCli(args, { cwd: testFolder(), env });
  onTestFinished(() => void child.kill('SIGKILL'));
}
