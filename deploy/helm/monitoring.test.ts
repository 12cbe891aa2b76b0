/** The alerts and the board name metrics that a node exports, and the alerts fire when they should. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { mlp } from '@skein/onnx';
import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../packages/http/src/tls/testing/authority.ts';
import { startNodeProcess } from '../../packages/server/src/testing/node-process.ts';
import { startRedis } from '../../packages/jobs/src/store/testing/redis-server.ts';
import { requireComponent } from '../../scripts/testing/components.ts';
import { CHART, type Manifest, render } from './testing/render.ts';
import { testFolder } from '../../scripts/testing/folder.ts';

const promtool = requireComponent('promtool');
const openssl = requireComponent('openssl');
const helm = requireComponent('helm');
const read = (file: string): string => readFileSync(join(CHART, file), 'utf8');

describe.skipIf(promtool.skip)('the alerts', () => {
  it.each([
    ['are rules of Prometheus', ['check', 'rules', '--lint=all', '--lint-fatal', 'alerts.yaml']],
    ['fire when they should', ['test', 'rules', 'alerts.test.yaml']],
  ])('%s', (_what, args) => {
    const { status, stdout, stderr } = spawnSync('promtool', args, {
      cwd: join(CHART, 'files'),
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
  });
});

describe.skipIf(promtool.skip || helm.skip)('the scaler of workers', () => {
  const { manifests } = render({
    redis: { existingSecret: 'redis' },
    blobs: { place: 's3://bucket' },
    workers: { enabled: true, queues: ['heavy'], autoscaling: { enabled: true } },
  });
  const scaled = manifests.find(({ kind }) => kind === 'ScaledObject');
  const [wait, need] = ((scaled?.['spec'].triggers ?? []) as Manifest[]).map(
    ({ metadata }) => metadata.query as string,
  );

  const waits = 'skein_jobs_oldest_ready_seconds{namespace="ml",queue="heavy"}';
  const needs = 'skein_workers_desired{namespace="ml",queue="heavy"}';
  it.each([
    ['the longest wait that a node shows', wait, [`${waits} 40`, `${needs} 2`], 40],
    ['no wait, where the queue never had a job', wait, [], 0],
    [
      'no wait, where the queue is paused and needs no workers',
      wait,
      [`${waits} 40`, `${needs} 0`],
      0,
    ],
    ['nothing, where no node reaches the store', wait, undefined, undefined],
    [
      'the workers that jobs need which run while none waits',
      need,
      [`${waits} 0`, `${needs} 1`],
      1,
    ],
    ['no need, where the queue never had a job', need, [], 0],
    ['no need, where no node reaches the store', need, undefined, undefined],
  ])('reads %s', (_what, query, jobs, value) => {
    const up = `skein_job_store_up{namespace="ml"} ${jobs === undefined ? 0 : 1}`;
    const series = [up, ...(jobs ?? [])].map((line) => {
      const [name = '', sample = ''] = line.split(' ');
      return { series: name, values: sample };
    });
    const samples = value === undefined ? [] : [{ labels: '{}', value }];
    const test = { expr: query, eval_time: '0s', exp_samples: samples };
    const file = join(testFolder(), 'query.json');
    writeFileSync(
      file,
      JSON.stringify({ tests: [{ input_series: series, promql_expr_test: [test] }] }),
    );
    const run = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    expect(run.status, run.stdout + run.stderr).toBe(0);
  });
});

describe.skipIf(openssl.skip)('every metric that is named', () => {
  /** Labels of each exported family. */
  const exported = new Map<string, Set<string>>();
  /** Prometheus adds these to what it scrapes. */
  const OF_PROMETHEUS = ['job', 'instance', 'namespace', 'le'];

  beforeAll(async () => {
    const folder = testFolder();
    const authority = createAuthority(folder, 'ca');
    authority.issue('node');
    await using plain = await startNodeProcess({ jobs: true });
    await plain.deploy('tiny', mlp({ sizes: [4, 8, 3], seed: 1 }));
    const x = { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
    await plain.client.infer('tiny', { x });
    // Refused, and counted under its code.
    await plain.client.infer('tiny', { y: x }).catch(() => {});
    await plain.run('run', '--', 'true');
    collect(await (await fetch(`${plain.url}/metrics`)).text());
    const redis = await startRedis();
    const key = join(folder, 'fleet-key');
    writeFileSync(key, 'a key that all members of a fleet know');
    const shared = ['--redis', redis.url, '--blobs', join(folder, 'blobs'), '--fleet-key', key];
    await using member = await startNodeProcess({ args: [...shared, '--queues', 'none'] });
    collect(await (await fetch(`${member.url}/metrics`)).text());
    await redis.destroy();
    await using secure = await startNodeProcess({
      args: ['--tls-cert', join(folder, 'ca-node.pem'), '--tls-key', join(folder, 'ca-node.key')],
    });
    collect(await securely(`${secure.url}/metrics`));
  }, 60_000);

  function collect(page: string): void {
    for (const line of page.split('\n')) {
      const family = /^# TYPE (\S+)/.exec(line)?.[1];
      if (family !== undefined && !exported.has(family)) exported.set(family, new Set());
      const [, name = '', labels = ''] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? [];
      const of = exported.get(name) ?? exported.get(withoutSuffix(name));
      for (const [, label] of labels.matchAll(/([a-z_]+)="/g)) of?.add(label!);
    }
  }

  /** Metrics in a query, with the labels that it selects by. */
  const metricsIn = (text: string): [name: string, labels: string[]][] =>
    [...text.matchAll(/\b((?:skein|process|nodejs)_[a-z_]+)\b(?:\{([^{}]*)\})?/g)].map(
      ([, name = '', selectors = '']) => [
        name,
        [...selectors.matchAll(/([a-z_]+)(?:=~|!=|=)\\?"/g)].map(([, label]) => label!),
      ],
    );

  it.each(['files/alerts.yaml', 'files/board.json', 'values.yaml', 'templates/availability.yaml'])(
    'is exported by a node, with its labels: %s',
    (file) => {
      const text = read(file)
        .replaceAll('.Release.Namespace', '')
        .replaceAll(/"\{\{[^}]*\}\}"/g, '""');
      const named = metricsIn(text);
      expect(named.length).toBeGreaterThan(0);
      const unknown = named.flatMap(([name, labels]) => {
        const known = exported.get(name) ?? exported.get(withoutSuffix(name));
        if (known === undefined) return [name];
        return labels
          .filter((label) => !known.has(label) && !OF_PROMETHEUS.includes(label))
          .map((label) => `${name}{${label}}`);
      });
      expect(unknown).toEqual([]);
    },
  );
});

const withoutSuffix = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');

function securely(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, { rejectUnauthorized: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}
