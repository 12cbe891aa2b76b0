import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseBytes } from '@skein/api/units';
import { requireComponent } from '../../scripts/testing/components.ts';
import { CHART, faults, find, type Manifest, read, render } from './testing/render.ts';

const helm = requireComponent('helm');
const kustomize = requireComponent('kustomize');
const ROOT = join(import.meta.dirname, '../..');
const KUSTOMIZE = join(ROOT, 'deploy/kustomize');

const FLEET = {
  kind: 'Deployment',
  replicas: 3,
  redis: { existingSecret: 'redis' },
  blobs: { place: 's3://team/skein', existingSecret: 'bucket' },
};
const EVERYTHING = {
  ...FLEET,
  image: {
    repository: 'registry.example/skein',
    digest: `sha256:${'a'.repeat(64)}`,
    pullSecrets: ['pull'],
  },
  autoscaling: { kind: 'keda' },
  tls: { existingSecret: 'tls' },
  nodeSelector: { pool: 'cpu' },
  tolerations: [{ key: 'dedicated', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  priorityClassName: 'serving',
  networkPolicy: { allowFrom: [{ namespaceSelector: {} }] },
  serviceAccount: { annotations: { role: 'node' }, workerAnnotations: { role: 'worker' } },
  queues: 'default, nightly',
  extraArgs: ['--cores', '2'],
  extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://otel:4318' }],
  workers: {
    enabled: true,
    queues: ['default', 'nightly'],
    autoscaling: { enabled: true },
    kubernetes: { enabled: true, runtimeClass: 'gvisor', priorities: ['low:-1000', 'high:100'] },
  },
  monitoring: {
    serviceMonitor: true,
    tlsConfig: { serverName: 'skein.example', ca: { secret: { name: 'tls', key: 'ca.crt' } } },
    rules: true,
    dashboard: true,
    labels: { release: 'prometheus' },
  },
};
const TRIAL = {
  kind: 'Deployment',
  replicas: 2,
  redis: { bundled: { enabled: true } },
  blobs: { place: '/blobs', existingClaim: 'shared' },
  workers: { enabled: true },
};
/** Names that Helm takes. */
const RELEASES = [
  '9lives',
  '1e5',
  'true',
  'a.b.c',
  `skein-${'b'.repeat(47)}`,
  'c'.repeat(53),
  `9${'9'.repeat(52)}`,
];
const VALUE_SETS: Readonly<Record<string, object>> = {
  'one node with a volume': {},
  'three members of a fleet': FLEET,
  'a trial with a Redis of its own': TRIAL,
  'scaled by CPU': { ...FLEET, autoscaling: { kind: 'hpa', min: 3, max: 30 } },
  'members with volumes, asked by exec': {
    ...FLEET,
    kind: 'StatefulSet',
    probes: { kind: 'exec' },
  },
  everything: EVERYTHING,
};

const podOf = (manifest: Manifest): Manifest => manifest['spec'].template.spec as Manifest;
const containerOf = (manifest: Manifest): Manifest => podOf(manifest)['containers'][0] as Manifest;

describe.skipIf(helm.skip)('the chart', () => {
  it.each(Object.entries(VALUE_SETS))('renders manifests without a fault: %s', (_name, values) => {
    const { manifests, refusal } = render(values);
    expect(refusal).toBe('');
    expect(manifests.length).toBeGreaterThan(5);
    expect(manifests.flatMap(faults)).toEqual([]);
  });

  it('the check of manifests finds a wrong type, an unknown field and an unknown kind', () => {
    const service = find(render({}).manifests, 'Service', 'skein');
    const [port] = service['spec'].ports;
    expect(faults({ ...service, spec: { ports: [{ ...port, port: 'http' }] } })).toHaveLength(1);
    expect(faults({ ...service, spec: { ports: [{ ...port, prot: 'TCP' }] } })).toEqual([
      'Service/skein: /spec/ports/0/prot is not a field',
    ]);
    expect(faults({ ...service, kind: 'Servis' })).toHaveLength(1);
  });

  it.each([
    [{ replicas: 'three' }, /'\/replicas': got string, want integer/],
    [{ redis: { uri: 'redis://x' } }, /'\/redis': additional properties 'uri' not allowed/],
    [{ kind: 'DaemonSet' }, /'\/kind': value must be one of 'Deployment', 'StatefulSet'/],
    [{ redis: { url: 'http://x' }, blobs: { place: 's3://x/y' } }, /'\/redis\/url'/],
    [{ image: { digest: 'latest' } }, /'\/image\/digest'/],
    [{ queues: 'default;Nightly' }, /'\/queues'/],
    [{ graceSeconds: 0 }, /'\/graceSeconds': minimum: got 0, want 1/],
    [{ replicas: 2 }, /needs a shared state: set redis.url/],
    [{ autoscaling: { kind: 'hpa' } }, /needs a shared state/],
    [{ kind: 'Deployment' }, /a Deployment has no volume/i],
    [{ redis: { url: 'redis://x' } }, /set blobs.place to a bucket/],
    [{ ...FLEET, redis: { url: 'redis://x', bundled: { enabled: true } } }, /named twice/],
    [{ ...FLEET, blobs: { place: 's3://x/y', existingClaim: 'shared' } }, /absolute path/],
    [{ workers: { enabled: true } }, /Workers take jobs from Redis/],
    [{ disruption: { maxUnavailable: 'few' } }, /'\/disruption\/maxUnavailable'/],
    [{ replicas: 1001 }, /'\/replicas': maximum: got 1,001, want 1,000/],
    [
      { tls: { existingSecret: 'tls' }, monitoring: { serviceMonitor: true } },
      /set monitoring.tlsConfig/,
    ],
    [{ ...TRIAL, workers: { autoscaling: { min: 9, max: 3 } } }, /workers.autoscaling.min is 9/],
    [{ ...FLEET, autoscaling: { kind: 'hpa', min: 9, max: 3 } }, /autoscaling.min is 9, above/],
  ])('refuses values, and names the change: %j', (values, message) => {
    expect(render(values).refusal).toMatch(message);
  });

  it.each(RELEASES)('names what it makes as Kubernetes allows it: release %s', (release) => {
    const values = { ...EVERYTHING, ...TRIAL, kind: 'StatefulSet' };
    const { manifests, refusal } = render(values, release, '7');
    expect(refusal).toBe('');
    expect(manifests.flatMap(faults)).toEqual([]);
    for (const { kind, metadata } of manifests) {
      const name = metadata.name as string;
      expect(name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
      expect(name).toContain('skein');
      // The pods of a StatefulSet have a label of its name, a dash and a hash of ten characters.
      expect(name.length).toBeLessThanOrEqual(kind === 'StatefulSet' ? 52 : 63);
      expect(metadata.labels['app.kubernetes.io/instance']).toBe(release);
    }
    expect(manifests.filter(({ kind }) => kind === 'StatefulSet')).toHaveLength(2);
  });

  it('gives long releases that begin alike names of their own', () => {
    const names = ['a', 'b'].map((end) => {
      const { manifests } = render({}, `${'a'.repeat(52)}${end}`);
      return manifests.find(({ kind }) => kind === 'StatefulSet')?.['metadata'].name as string;
    });
    expect(new Set(names).size).toBe(2);
  });

  it('takes names of the operator that look like numbers and truth values', () => {
    const { manifests, refusal } = render({
      ...EVERYTHING,
      replicas: 1000,
      redis: { existingSecret: '123', secretKey: '0' },
      blobs: { place: '/no: 1', existingSecret: '1e5', existingClaim: 'on' },
      keys: { existingSecret: '7', adminKey: '1', readKey: 'true', fleetKey: 'null' },
      image: { pullSecrets: ['42'] },
      priorityClassName: '5',
      namespace: 'a: b',
      tls: { existingSecret: '8' },
    });
    expect(refusal).toBe('');
    expect(manifests.flatMap(faults)).toEqual([]);
    const container = containerOf(find(manifests, 'Deployment', 'skein'));
    expect(container['args']).toContain('--namespace=a: b');
    expect(container['volumeMounts']).toContainEqual({ name: 'blobs', mountPath: '/no: 1' });
  });

  it('asks for the image that the guide builds and pushes', () => {
    const guide = readFileSync(join(ROOT, 'docs/guide/kubernetes.md'), 'utf8');
    const pushed = /build\.sh --tag (\S+) && docker push (\S+)$/m.exec(guide);
    const { manifests } = render({ image: { repository: 'REGISTRY/skein' } });
    const asked = JSON.stringify(manifests).match(/"image":"[^"]*"/g);
    expect(asked).toEqual([`"image":"${pushed?.[1]}"`]);
    expect(pushed?.[2]).toBe(pushed?.[1]);
  });

  it('passes the lint of Helm', () => {
    const { stdout, status } = spawnSync('helm', ['lint', '--strict', CHART, '--values', '-'], {
      input: JSON.stringify(EVERYTHING),
      encoding: 'utf8',
    });
    expect(status, stdout).toBe(0);
  });

  it('scales nodes to the members that the demand needs, and no data is not a demand of zero', () => {
    const scaled = find(render(EVERYTHING).manifests, 'ScaledObject', 'skein');
    const [trigger] = scaled['spec'].triggers;
    expect(trigger).toMatchObject({
      type: 'prometheus',
      metricType: 'AverageValue',
      metadata: {
        query: expect.stringMatching(/^max\(skein_fleet_desired_members\{namespace="[^"]+"\}\)$/),
        threshold: '1',
        ignoreNullValues: 'false',
      },
    });
  });

  it('has Prometheus check the certificate of nodes by the name that the operator gives', () => {
    const [endpoint] = find(render(EVERYTHING).manifests, 'ServiceMonitor', 'skein')['spec']
      .endpoints as Manifest[];
    expect(endpoint).toMatchObject({
      scheme: 'https',
      tlsConfig: { serverName: 'skein.example', ca: { secret: { name: 'tls', key: 'ca.crt' } } },
    });
  });

  it('no pod runs as root, writes its root, or holds a token of the cluster that it does not use', () => {
    const { manifests } = render(EVERYTHING);
    const pods = manifests.filter(({ spec }) => spec?.template?.spec?.containers !== undefined);
    expect(pods).toHaveLength(2);
    for (const each of pods) {
      const pod = podOf(each);
      const isWorker = each['metadata'].name.endsWith('-worker');
      expect(pod).toMatchObject({
        automountServiceAccountToken: isWorker,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(containerOf(each)).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      });
    }
  });

  it('the grace of the pod covers preStop and the grace of the node', () => {
    const node = find(
      render({ graceSeconds: 20, preStopSeconds: 7 }).manifests,
      'StatefulSet',
      'skein',
    );
    expect(podOf(node)['terminationGracePeriodSeconds']).toBeGreaterThan(27);
    expect(containerOf(node)['env']).toContainEqual({ name: 'SKEIN_GRACE', value: '20s' });
    expect(containerOf(node)['lifecycle'].preStop.exec.command).toEqual(['sleep', '7']);
  });

  it('no secret of the operator is in a manifest, and those that it makes are keys of the right form', () => {
    const { manifests } = render(EVERYTHING);
    const text = JSON.stringify(manifests);
    expect(text).not.toMatch(/rediss?:\/\//);
    const keys = find(manifests, 'Secret', 'skein-keys')['data'] as Record<string, string>;
    for (const name of ['admin-key', 'read-key']) {
      const token = Buffer.from(keys[name]!, 'base64').toString();
      expect(token).toMatch(/^skein_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    }
    expect(Buffer.from(keys['fleet-key']!, 'base64').toString()).toMatch(/^[A-Za-z0-9]{48}$/);
    const given = { ...FLEET, keys: { existingSecret: 'mine' } };
    expect(render(given).manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
  });

  it('starts its pods anew when the address of Redis is another one', () => {
    const checksums = ['redis://:one@a:6379', 'redis://:two@a:6379'].map((url) => {
      const values = { ...FLEET, redis: { url }, workers: { enabled: true } };
      const { manifests } = render(values);
      expect(manifests.flatMap(faults)).toEqual([]);
      const pods = ['skein', 'skein-worker'].map((name) => find(manifests, 'Deployment', name));
      return pods.map(({ spec }) => spec.template.metadata.annotations['checksum/redis'] as string);
    });
    expect(new Set(checksums.flat()).size).toBe(2);
    expect(checksums[0]).toEqual([checksums[0]![0], checksums[0]![0]]);
  });

  it('bounds where pods call, once rules are given; the bundled Redis calls nothing', () => {
    const bucket = { to: [{ ipBlock: { cidr: '199.36.153.8/30' } }], ports: [{ port: 443 }] };
    const { manifests } = render({ ...TRIAL, networkPolicy: { egress: [bucket] } });
    expect(manifests.flatMap(faults)).toEqual([]);
    const componentsOf = (rule: Manifest): string[] =>
      ((rule['to'] ?? []) as Manifest[]).map(
        ({ podSelector }) => podSelector?.matchLabels['app.kubernetes.io/component'] as string,
      );
    for (const [name, component] of [
      ['skein', 'node'],
      ['skein-worker', 'worker'],
    ] as const) {
      const { spec } = find(manifests, 'NetworkPolicy', name);
      expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
      const [dns, pods, own] = spec.egress as Manifest[];
      expect(dns).toEqual({
        ports: ['UDP', 'TCP'].map((protocol) => ({ port: 53, protocol })),
      });
      expect(componentsOf(pods!)).toEqual([component, 'redis']);
      expect(own).toEqual(bucket);
      const unbounded = find(render(TRIAL).manifests, 'NetworkPolicy', name)['spec'] as Manifest;
      expect(unbounded['policyTypes']).toEqual(['Ingress']);
      expect(unbounded['egress']).toBeUndefined();
    }
    const redis = find(manifests, 'NetworkPolicy', 'skein-redis')['spec'] as Manifest;
    expect(redis['policyTypes']).toEqual(['Ingress', 'Egress']);
    expect(redis['egress']).toBeUndefined();
  });

  it('copies of a bucket leave free space on the disk of a node, and data leave free memory in the bundled Redis', () => {
    const { manifests } = render(TRIAL);
    const size = containerOf(find(manifests, 'Deployment', 'skein'))['env'].find(
      ({ name }: Manifest) => name === 'SKEIN_CACHE',
    ).value as string;
    const [data] = (podOf(find(manifests, 'Deployment', 'skein'))['volumes'] as Manifest[]).filter(
      ({ name }) => name === 'data',
    );
    const limit = data!['emptyDir'].sizeLimit as string;
    // One part for models, one for jobs, and one for arriving files.
    expect(3 * parseBytes(size)).toBeLessThanOrEqual(parseBytes(limit));
    const redis = containerOf(find(manifests, 'StatefulSet', 'skein-redis'));
    const args = redis['args'] as string[];
    const bound = parseBytes(args[args.indexOf('--maxmemory') + 1]!);
    expect(bound).toBeLessThan(0.7 * parseBytes(redis['resources'].limits.memory as string));
  });

  it('is the base of kustomize too', () => {
    const written = readFileSync(join(KUSTOMIZE, 'base/skein.yaml'), 'utf8');
    const rendered = spawnSync('bash', [join(KUSTOMIZE, 'render.sh'), '--print'], {
      encoding: 'utf8',
    });
    expect(rendered.stderr).toBe('');
    expect(written, 'run deploy/kustomize/render.sh').toBe(rendered.stdout);
    expect(read(written).flatMap(faults)).toEqual([]);
    expect(read(written).map(({ kind }) => kind)).not.toContain('Secret');
  });

  it.skipIf(kustomize.skip)('kustomize builds the base, and an overlay', () => {
    const build = (folder: string): string => {
      const args = ['build', join(KUSTOMIZE, folder)];
      const { stdout, stderr } = spawnSync('kustomize', args, { encoding: 'utf8' });
      expect(stderr).toBe('');
      return stdout;
    };
    const overlay = read(build('example'));
    expect(overlay.flatMap(faults)).toEqual([]);
    const text = JSON.stringify(overlay.filter(({ kind }) => kind === 'Deployment'));
    expect(text.match(/"registry.example\/team\/skein:0.1.0"/g)).toHaveLength(2);
    expect(text.match(/s3:\/\/[^"]*/g)).toEqual(
      Array(2).fill('s3://team/skein?region=eu-central-1'),
    );
    const names = (text: string): string[] =>
      read(text)
        .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
        .toSorted();
    expect(names(build('base'))).toEqual(
      names(readFileSync(join(KUSTOMIZE, 'base/skein.yaml'), 'utf8')),
    );
  });

  it('a scaler without data is not a scaler that sees no load', () => {
    const { manifests } = render(EVERYTHING);
    const scaled = manifests.filter(({ kind }) => kind === 'ScaledObject');
    expect(scaled).toHaveLength(2);
    for (const trigger of scaled.flatMap(({ spec }) => spec.triggers as Manifest[])) {
      expect(trigger['metadata'].ignoreNullValues).toBe('false');
      expect(trigger['metadata'].query).not.toMatch(/\{\{/);
    }
  });
});
