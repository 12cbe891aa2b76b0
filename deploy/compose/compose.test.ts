/** Checks of the composition that need no registry: its parts accept their files, and fit together. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requireComponent } from '../../scripts/testing/components.ts';
import { testFolder } from '../../scripts/testing/folder.ts';

const HERE = import.meta.dirname;
const read = (file: string): string => readFileSync(join(HERE, file), 'utf8');
const SECRETS = [
  'SKEIN_ADMIN_KEY',
  'SKEIN_READ_KEY',
  'SKEIN_FLEET_KEY',
  'REDIS_PASSWORD',
  'S3_SECRET',
  'GRAFANA_PASSWORD',
];

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly read_only?: boolean;
  readonly ports?: readonly { readonly host_ip?: string }[];
}

it.skipIf(requireComponent('docker-compose').skip)('is a composition of a whole fleet', () => {
  const env = {
    ...process.env,
    ...Object.fromEntries(SECRETS.map((name) => [name, `of-${name}`])),
  };
  const { stdout, stderr } = spawnSync(
    'docker-compose',
    ['-f', join(HERE, 'compose.yaml'), 'config', '--format', 'json'],
    { encoding: 'utf8', env },
  );
  expect(stderr).toBe('');
  const { services } = JSON.parse(stdout) as { services: Record<string, Service> };
  const own = Object.entries(services).filter(([, { image }]) => image === 'skein');
  expect(own.map(([name]) => name)).toEqual(['node-1', 'node-2', 'node-3', 'worker']);
  for (const [, service] of own) {
    expect(service).toMatchObject({
      read_only: true,
      environment: {
        SKEIN_REDIS: 'redis://:of-REDIS_PASSWORD@redis:6379',
        SKEIN_BLOBS: expect.stringMatching(/^s3:\/\/skein\//),
      },
    });
  }
  for (const { image, ports = [] } of Object.values(services)) {
    expect(image).toMatch(/^(skein|docker\.io\/.*:v?\d+(\.\d+)+(-alpine)?)$/);
    for (const { host_ip } of ports) expect(host_ip).toBe('127.0.0.1');
  }
  for (const name of SECRETS) expect(read('up.sh')).toContain(`\n${name}=$(`);
});

it.skipIf(requireComponent('haproxy').skip)('has a balancer that accepts its configuration', () => {
  const env = {
    ...process.env,
    BALANCER: '127.0.0.1:4700',
    NODE_1: '127.0.0.1:1',
    NODE_2: '127.0.0.1:2',
    NODE_3: '127.0.0.1:3',
  };
  const { status, stdout, stderr } = spawnSync('haproxy', ['-c', '-f', join(HERE, 'haproxy.cfg')], {
    encoding: 'utf8',
    env,
  });
  expect(status, stdout + stderr).toBe(0);
  expect(stderr).not.toMatch(/WARNING|ALERT/);
});

it.skipIf(requireComponent('promtool').skip)(
  'has a Prometheus that accepts its configuration, and reads every node',
  () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'alerts.yaml'), read('../helm/skein/files/alerts.yaml'));
    writeFileSync(join(folder, 'read-key'), 'key');
    const own = read('prometheus.yaml');
    writeFileSync(join(folder, 'prometheus.yaml'), own.replace('/run/secrets/', ''));
    const { status, stdout, stderr } = spawnSync(
      'promtool',
      ['check', 'config', 'prometheus.yaml'],
      {
        encoding: 'utf8',
        cwd: folder,
      },
    );
    expect(status, stdout + stderr).toBe(0);
    expect(own).toContain('[node-1:4700, node-2:4700, node-3:4700]');
  },
);
