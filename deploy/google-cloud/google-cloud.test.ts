/**
 * Checks of the files for Google Cloud that need no account: Terraform's own parser reads them, each
 * reference names a declared object, and the YAML and the Terraform agree.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';

// oxlint-disable-next-line typescript/no-explicit-any
type Tree = Record<string, any>;

const TERRAFORM = join(import.meta.dirname, '../terraform');
const files = readdirSync(TERRAFORM).filter((name) => name.endsWith('.tf'));
const textOf = (name: string): string => readFileSync(join(TERRAFORM, name), 'utf8');
const yaml = (name: string): Tree =>
  parseYaml(readFileSync(join(import.meta.dirname, name), 'utf8')) as Tree;

const resources: Tree = {};
const declared = new Set<string>();

beforeAll(async () => {
  for (const name of files) {
    const tree = (await parse(name, textOf(name))) as Tree;
    for (const [type, named] of Object.entries((tree['resource'] ?? {}) as Tree)) {
      for (const [label, blocks] of Object.entries(named as Tree)) {
        resources[`${type}.${label}`] = (blocks as Tree[])[0];
        declared.add(`${type}.${label}`);
      }
    }
    for (const variable of Object.keys((tree['variable'] ?? {}) as Tree)) {
      declared.add(`var.${variable}`);
    }
    for (const block of (tree['locals'] ?? []) as Tree[]) {
      for (const local of Object.keys(block)) declared.add(`local.${local}`);
    }
  }
});

describe('the Terraform', () => {
  it('has no reference to what is not declared', () => {
    const used = files.flatMap((name) =>
      [...textOf(name).matchAll(/(?<![\w."])(var|local|(?:google|random)_\w+)\.(\w+)/g)].map(
        ([, kind, label]) => `${kind}.${label}`,
      ),
    );
    expect(used.length).toBeGreaterThan(50);
    expect([...new Set(used)].filter((name) => !declared.has(name))).toEqual([]);
  });

  it('uses each of its variables and locals', () => {
    const text = files.map(textOf).join('\n');
    const names = [...declared].filter((name) => /^(var|local)\./.test(name));
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });

  it('takes the address of the store that writes, not the address of a replica', () => {
    const [, address = ''] = /store_address = ([\s\S]*?)\n  \w/.exec(textOf('store.tf')) ?? [];
    expect(resources['google_memorystore_instance.store'].replica_count).toBeGreaterThan(0);
    expect(address).toContain('connection_type == "CONNECTION_TYPE_PRIMARY"');
  });

  it('keeps secrets in Secret Manager, and the bucket and the store private', () => {
    const node = containerOf('google_cloud_run_v2_service.nodes');
    const plain = (node['env'] as Tree[]).map(({ name }) => name as string);
    expect(plain.toSorted()).toEqual(['SKEIN_BLOBS', 'SKEIN_CACHE', 'SKEIN_GRACE']);
    expect(resources['google_storage_bucket.blobs']).toMatchObject({
      public_access_prevention: 'enforced',
    });
    expect(resources['google_memorystore_instance.store']).toMatchObject({
      engine_configs: { 'maxmemory-policy': 'noeviction' },
      persistence_config: [{ mode: 'AOF' }],
    });
  });
});

describe('the accounts', () => {
  const roleOf = (name: string): string => (resources[name] as Tree)['role'] as string;

  it('have the least that they need, each for one thing', () => {
    expect(
      Object.keys(resources)
        .filter((name) => /_iam_member\./.test(name))
        .map((name) => `${name}: ${roleOf(name)}`)
        .toSorted(),
    ).toEqual([
      'google_artifact_registry_repository_iam_member.machines: roles/artifactregistry.reader',
      'google_cloud_run_v2_service_iam_member.callers: roles/run.invoker',
      'google_project_iam_member.machines: roles/container.defaultNodeServiceAccount',
      'google_secret_manager_secret_iam_member.node: roles/secretmanager.secretAccessor',
      'google_secret_manager_secret_iam_member.worker: roles/secretmanager.secretAccessor',
      'google_service_account_iam_member.workload: roles/iam.workloadIdentityUser',
      'google_storage_bucket_iam_member.blobs: roles/storage.objectUser',
    ]);
  });

  it('of the machines of the cluster are not the default one of the project', () => {
    const cluster = resources['google_container_cluster.fleet'] as Tree;
    expect(
      cluster['cluster_autoscaling'][0].auto_provisioning_defaults[0].service_account,
    ).toContain('google_service_account.machines');
  });

  it('read secrets on Cloud Run alone, and the key of the members nowhere', () => {
    const node = resources['google_secret_manager_secret_iam_member.node'] as Tree;
    expect(node['for_each']).toMatch(/cloud-run/);
    expect(node['for_each']).not.toContain('fleet-key');
    const worker = resources['google_secret_manager_secret_iam_member.worker'] as Tree;
    expect(worker['count']).toMatch(/cloud-run/);
  });
});

describe('Cloud Run', () => {
  const service = yaml('cloud-run-service.yaml');
  const pool = yaml('cloud-run-workers.yaml');

  it('gets the same from its YAML and from Terraform', () => {
    const node = containerOf('google_cloud_run_v2_service.nodes');
    const written = service['spec'].template.spec.containers[0] as Tree;
    expect(written['args']).toEqual(node['args']);
    expect(written['ports'][0].containerPort).toBe(node['ports'][0].container_port);
    expect(written['resources'].limits).toEqual(node['resources'][0].limits);
    expect(written['startupProbe'].failureThreshold).toBe(
      node['startup_probe'][0].failure_threshold,
    );
    const secrets = Object.keys(node['dynamic'].env[0].for_each as Tree);
    expect((written['env'] as Tree[]).map(({ name }) => name as string)).toEqual(
      expect.arrayContaining([...secrets, 'SKEIN_GRACE', 'SKEIN_BLOBS']),
    );
    const worker = containerOf('google_cloud_run_v2_worker_pool.workers');
    const inPool = pool['spec'].template.spec.containers[0] as Tree;
    expect(inPool['args']).toEqual(worker['args']);
    const namesOf = (env: unknown): string[] => (env as Tree[]).map(({ name }) => name as string);
    expect(namesOf(inPool['env']).toSorted()).toEqual(namesOf(worker['env']).toSorted());
  });

  it('has time to end before SIGKILL, and to start within the window of 240 s', () => {
    const { env, startupProbe } = service['spec'].template.spec.containers[0] as Tree;
    const grace = (env as Tree[]).find(({ name }) => name === 'SKEIN_GRACE')!['value'] as string;
    // A node ends within its grace and a second.
    expect(Number.parseInt(grace, 10) + 1).toBeLessThan(10);
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBeLessThanOrEqual(240);
  });
});

it('App Engine asks the same paths of health', () => {
  const app = yaml('app.yaml');
  expect(app).toMatchObject({ runtime: 'custom', env: 'flex' });
  expect(app['readiness_check'].path).toBe('/v2/health/accepting');
  expect(app['liveness_check'].path).toBe('/v2/health/live');
  // The guide states that it runs no jobs.
  expect(app['env_variables'].SKEIN_QUEUES).toBe('none');
});

const containerOf = (name: string): Tree => resources[name].template[0].containers[0] as Tree;
