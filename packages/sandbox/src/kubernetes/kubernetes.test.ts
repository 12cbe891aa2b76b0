/** The kubernetes driver against the API server of the tests: faults, leftovers, jobs and gangs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import {
  command as plainCommand,
  workerFixture,
  type WorkerFixture,
} from '../../../jobs/src/worker/testing/worker-fixture.ts';
import type { SandboxDriver, SessionOptions } from '../contract.ts';
import { processesWith, untilOutput } from '../testing/every-driver.ts';
import { createKubernetes } from './kubernetes.ts';
import { IMAGE, NAMESPACE, startTestCluster, type TestCluster } from './testing/test-cluster.ts';

const { skip } = requireComponent('test-cluster');
const MIB = 2 ** 20;
const OPTIONS: SessionOptions = {
  mounts: [],
  limits: {
    wallMs: 60_000,
    memoryBytes: 64 * MIB,
    pids: 32,
    outputBytes: MIB,
    fileBytes: 16 * MIB,
    diskBytes: 16 * MIB,
  },
  network: 'none',
  untrusted: true,
};

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !holds(); await sleep(20)) {
    if (Date.now() > deadline) throw new Error('it never came to hold');
  }
}

describe.skipIf(skip)('the kubernetes driver', () => {
  let cluster: TestCluster;
  let driver: SandboxDriver;
  const jobs = (): string[] =>
    cluster.objects.list('batch/jobs', NAMESPACE).map(({ metadata }) => metadata.name);

  beforeAll(async () => {
    cluster = await startTestCluster({ killsGroup: true });
    process.env['KUBECONFIG'] = cluster.kubeconfig;
    driver = createKubernetes({ namespace: NAMESPACE, image: IMAGE });
    await driver.availability();
  }, 120_000);
  afterEach(() => {
    cluster.faults.refuse = () => undefined;
  });
  afterAll(async () => {
    await driver.close();
    await cluster.close();
    delete process.env['KUBECONFIG'];
  }, 60_000);

  test('claims what its trial has seen to hold', async () => {
    expect(await driver.availability()).toMatchObject({
      available: true,
      enforcement: {
        untrusted: true,
        accounting: expect.stringMatching(/^cgroup v[12]$/),
        network: { none: true, allowList: false },
      },
    });
  });

  test('a policy that does nothing is no isolation', async () => {
    const loose = await startTestCluster({ ignoresPolicies: true });
    process.env['KUBECONFIG'] = loose.kubeconfig;
    const other = createKubernetes({ namespace: NAMESPACE, image: IMAGE });
    const found = await other.availability();
    process.env['KUBECONFIG'] = cluster.kubeconfig;
    expect(found).toMatchObject({
      enforcement: {
        untrusted: false,
        network: { none: false, by: expect.stringContaining('still reaches') },
      },
    });
    await other.close();
    await loose.close();
  }, 60_000);

  test('touches no cluster unless a namespace is named', async () => {
    const before = cluster.faults.used.size;
    cluster.faults.used.clear();
    const unnamed = createKubernetes({});
    expect(await unnamed.availability()).toMatchObject({
      available: false,
      fix: expect.stringContaining('SKEIN_KUBERNETES_NAMESPACE'),
    });
    await unnamed.close();
    expect([before > 0, cluster.faults.used.size]).toEqual([true, 0]);
  });

  test('survives dropped watches, a dropped version, and refusals for a while', async () => {
    const refusals = new Map<string, number>();
    cluster.faults.refuse = (verb, resource) => {
      const key = `${verb} ${resource}`;
      const seen = (refusals.get(key) ?? 0) + 1;
      refusals.set(key, seen);
      if (seen > 2) return undefined;
      return seen === 1
        ? { status: 429, message: 'slow down', retryAfter: 0.2 }
        : { status: 500, message: 'etcd is away' };
    };
    const opening = driver.open(OPTIONS);
    await until(() => cluster.dropWatches('cut') > 0);
    cluster.objects.compact();
    const session = await opening;
    cluster.dropWatches('end');
    cluster.objects.compact();
    const { exitCode, stdout } = await session.run({
      argv: ['echo', 'here'],
      workspace: 'writable',
    });
    expect([exitCode, Buffer.from(stdout).toString()]).toEqual([0, 'here\n']);
    expect(refusals.get('create batch/jobs')).toBeGreaterThan(2);
    expect(refusals.get('list pods')).toBeGreaterThan(2);
    await session.close();
  });

  test('creates a Job once, however often the request is repeated', async () => {
    let creations = 0;
    cluster.faults.refuse = (verb, resource) => {
      if (verb !== 'create' || resource !== 'batch/jobs') return undefined;
      creations += 1;
      return creations === 1 ? { status: 503, message: 'the answer is lost' } : undefined;
    };
    const session = await driver.open(OPTIONS);
    expect([creations, jobs().length]).toEqual([2, 1]);
    await session.close();
    expect(jobs()).toEqual([]);
  });

  test('reports a refusal of the cluster, and an image that the cluster lacks', async () => {
    cluster.faults.refuse = (verb, resource) =>
      verb === 'create' && resource === 'batch/jobs'
        ? { status: 403, message: 'jobs.batch is forbidden: exceeded quota' }
        : undefined;
    await expect(driver.open(OPTIONS)).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      message: expect.stringContaining('exceeded quota'),
    });
    cluster.faults.refuse = () => undefined;
    const unknown = driver.open({ ...OPTIONS, image: 'registry.example/no-such-image:1' });
    await expect(unknown).rejects.toMatchObject({ code: 'SANDBOX_IMAGE_UNKNOWN' });
    await expect(driver.open({ ...OPTIONS, image: 'registered' })).rejects.toThrow(
      /SKEIN_KUBERNETES_IMAGES/,
    );
    expect(jobs()).toEqual([]);
  });

  test('a container that is killed as a whole for memory ended by it, and is gone', async () => {
    const session = await driver.open(OPTIONS);
    const bomb = await session.run({
      argv: ['sh', '-c', 'head -c 300000000 /dev/zero | tail'],
      workspace: 'writable',
    });
    expect(bomb).toMatchObject({ endedBy: 'out-of-memory', exitCode: null });
    await expect(session.run({ argv: ['true'], workspace: 'writable' })).rejects.toMatchObject({
      code: 'SANDBOX_LOST',
    });
    await session.close();
  });

  test('a command whose connections are cut is lost, and so is everything in its pod', async () => {
    const session = await driver.open(OPTIONS);
    const mark = `63.${Math.floor(Math.random() * 1e9)}`;
    const command = session.start({
      argv: ['sh', '-c', `setsid sleep ${mark} & echo ready; wait`],
      workspace: 'writable',
    });
    command.stderr.resume();
    await untilOutput(command.stdout, 'ready');
    expect(processesWith(mark)).not.toEqual([]);
    cluster.cutStreams();
    await expect(command.ended).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    await until(() => processesWith(mark).length === 0);
    await session.close();
  });

  test('a session that waits for its pod can be given up', async () => {
    const giveUp = new AbortController();
    cluster.faults.refuse = (_verb, resource) => {
      if (resource === 'pods/attach') giveUp.abort(new Error('cancelled'));
      return resource === 'pods/attach' ? { status: 503, message: 'not yet' } : undefined;
    };
    await expect(driver.open({ ...OPTIONS, signal: giveUp.signal })).rejects.toThrow('cancelled');
    expect(jobs()).toEqual([]);
  });

  test('after kill -9 of a worker, its pod ends automatically and the next worker removes its Job', async () => {
    const mark = `62.${process.pid}${Math.floor(Math.random() * 1e6)}`;
    const main = fileURLToPath(new URL('../testing/left-behind.ts', import.meta.url));
    const worker = spawn(process.execPath, [main, 'kubernetes', mark], {
      env: { ...process.env, ...cluster.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(worker.stdout, 'data');
    expect(processesWith(mark)).not.toEqual([]);
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    await until(() => processesWith(mark).length === 0);
    expect(jobs()).toHaveLength(1);

    const next = createKubernetes({ namespace: NAMESPACE, image: IMAGE });
    expect(await next.availability()).toMatchObject({ available: true });
    expect(jobs()).toEqual([]);
    await next.close();
  }, 90_000);

  describe('in a worker', () => {
    const command: typeof plainCommand = (argv, more) =>
      plainCommand(argv, { sandbox: 'kubernetes', ...more });
    async function withWorker(use: (at: WorkerFixture) => Promise<void>): Promise<void> {
      await using fixture = await workerFixture({ sandboxes: [driver] });
      await fixture.start({ capacity: { cores: 4, memoryBytes: 1024 * MIB } });
      await use(fixture);
    }

    async function contentOf({ artifacts }: WorkerFixture, digest: string): Promise<string> {
      return await text(Readable.from(artifacts.read(digest)));
    }

    test('a job reads its inputs, and leaves its outputs', async () => {
      await withWorker(async (at) => {
        const { digest } = await at.artifacts.put(Readable.from([Buffer.from('stored\n')]), MIB);
        const script = 'cat in/file; tr a-z A-Z < in/file > out; echo no 2>&- > in/file || true';
        const { state, result, message } = await at.run(
          command(['sh', '-c', script], {
            inputs: [{ path: 'in/file', digest }],
            outputs: [{ path: 'out' }],
          }),
        );
        expect([state, message]).toEqual(['succeeded', undefined]);
        expect(await contentOf(at, result!.outputs[0]!.digest)).toBe('STORED\n');
        expect(await contentOf(at, digest)).toBe('stored\n');
      });
    }, 60_000);

    test('a cancelled job ends, and its Job is removed', async () => {
      await withWorker(async (at) => {
        const mark = `64.${Math.floor(Math.random() * 1e9)}`;
        const job = await at.enqueue(command(['sleep', mark]));
        await until(() => processesWith(mark).length > 0);
        await at.store.cancel(job.id, 'the test ends it');
        await until(() => processesWith(mark).length === 0 && jobs().length === 0);
        expect(await at.ended(job.id)).toMatchObject({ state: 'cancelled' });
      });
    }, 60_000);

    test('a gang is one Indexed Job, whose members find rank 0 by its name', async () => {
      const meet = `
import os, socket, time
rank, size = int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])
at = (os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']))
if rank == 0:
    server = socket.create_server(('', at[1]))
    got = sorted(server.accept()[0].makefile().readline() for _ in range(size - 1))
    open('met', 'w').write(at[0].split('.')[0] + ' ' + ' '.join(line.strip() for line in got))
else:
    while True:
        try: peer = socket.create_connection(at); break
        except OSError: time.sleep(0.05)
    peer.sendall(b'rank %d\\n' % rank)
`;
      await withWorker(async (at) => {
        const members = await at.enqueueAll(
          [0, 1, 2].map((rank) => ({
            work: command(['python3', '-c', meet], {
              trusted: true,
              network: 'host',
              outputs: rank === 0 ? [{ path: 'met' }] : [],
            }),
            changes: { gang: { id: 'g', size: 3, rank } },
          })),
        );
        await until(() => cluster.objects.list('services', NAMESPACE).length === 1);
        expect(jobs()).toHaveLength(1);
        const ends = await Promise.all(members.map(({ id }) => at.ended(id)));
        expect(ends.map(({ state, message }) => [state, message])).toEqual(
          ends.map(() => ['succeeded', undefined]),
        );
        const met = await contentOf(at, ends[0]!.result!.outputs[0]!.digest);
        expect(met).toMatch(/^skein-gang-[0-9a-f]{12}-\d+-0 rank 1 rank 2$/);
      });
      await until(() => jobs().length === 0);
      expect(cluster.objects.list('services', NAMESPACE)).toEqual([]);
    }, 90_000);
  });

  test('uses no right that the Role of the guide does not give', () => {
    const guide = readFileSync(
      new URL('../../../../docs/guide/kubernetes-jobs.md', import.meta.url),
      'utf8',
    );
    const rules = [
      ...guide.matchAll(/apiGroups: \[(.*?)\], resources: \[(.*?)\], verbs: \[(.*?)\]/g),
    ];
    const given = rules.flatMap(([, group = '', resources = '', verbs = '']) =>
      resources.split(', ').flatMap((resource) => {
        const name = group === "''" ? resource : `${group}/${resource}`;
        return verbs.split(', ').map((verb) => `${verb} ${name}`);
      }),
    );
    expect(given.length).toBeGreaterThan(10);
    expect(given).toEqual(expect.arrayContaining([...cluster.faults.used]));
  });
});
