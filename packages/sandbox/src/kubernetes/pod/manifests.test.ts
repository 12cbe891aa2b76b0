import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeWords, exitStatus } from '../command/launch.ts';
import { jobManifest, type JobOrder } from './manifests.ts';
import { gangName } from './open-pod.ts';
import { findDead, RENEWED, type OwnedJob, type SeenCounts } from '../cluster/owner-labels.ts';
import { classOf, readSettings } from '../settings.ts';

const ORDER: JobOrder = {
  name: 'skein-1',
  image: 'debian:13-slim',
  uid: 1_234_567_890,
  limits: {
    cpuMs: 1000,
    wallMs: 10_000,
    memoryBytes: 2 ** 26,
    pids: 8,
    outputBytes: 1000,
    fileBytes: 1000,
    diskBytes: 2 ** 20,
    cores: 0.5,
  },
  network: 'none',
  attempt: { job: 'j', number: 2, token: 77, priority: 150 },
  inputs: { bytes: 100, files: 1 },
  settings: readSettings({ namespace: 'jobs' }, {}),
};

describe('a Job', () => {
  test('is never tried again by the cluster, and carries its fencing token', () => {
    const { metadata, spec } = jobManifest(ORDER);
    expect(spec).toMatchObject({ backoffLimit: 0, ttlSecondsAfterFinished: 300, completions: 1 });
    expect(spec?.activeDeadlineSeconds).toBe(3610);
    expect(metadata?.annotations).toMatchObject({
      'skein.dev/job': 'j',
      'skein.dev/attempt': '2',
      'skein.dev/token': '77',
    });
    const [main] = spec?.template.spec?.containers ?? [];
    expect(main?.env).toContainEqual({ name: 'SKEIN_TOKEN', value: '77' });
  });

  test('meets the restricted profile of the Pod Security Standards, in every container', () => {
    const pod = jobManifest(ORDER).spec?.template.spec;
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1_234_567_890,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(pod).not.toHaveProperty('hostNetwork');
    const containers = [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])];
    expect(containers).toHaveLength(2);
    for (const { securityContext, resources } of containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        privileged: false,
        readOnlyRootFilesystem: true,
      });
      expect(resources?.limits).toHaveProperty('memory');
      expect(resources?.limits).toHaveProperty('cpu');
    }
    expect(pod?.containers[0]?.resources?.limits).toEqual({
      cpu: '500m',
      memory: String(2 ** 26 + 2 ** 23),
    });
    const inputs = pod?.containers[0]?.volumeMounts?.find(({ name }) => name === 'inputs');
    expect(inputs?.readOnly).toBe(true);
  });

  test('has a runtime class, a priority class and an owner where they are named', () => {
    const settings = readSettings(
      { namespace: 'jobs', runtimeClass: 'gvisor', priorities: 'low:-1000,high:100' },
      { POD_NAME: 'worker-0', POD_UID: 'u', POD_NAMESPACE: 'jobs' },
    );
    const { metadata, spec } = jobManifest({ ...ORDER, settings });
    expect(spec?.template.spec).toMatchObject({
      runtimeClassName: 'gvisor',
      priorityClassName: 'high',
    });
    expect(metadata?.ownerReferences).toEqual([
      { apiVersion: 'v1', kind: 'Pod', name: 'worker-0', uid: 'u' },
    ]);
    // An owner in another namespace would have its Jobs deleted.
    const elsewhere = readSettings(
      { namespace: 'jobs' },
      { POD_NAME: 'worker-0', POD_UID: 'u', POD_NAMESPACE: 'skein' },
    );
    expect(jobManifest({ ...ORDER, settings: elsewhere }).metadata).not.toHaveProperty(
      'ownerReferences',
    );
  });

  test('waits in a queue of Kueue, with the priority of its workload', () => {
    const settings = readSettings(
      { namespace: 'jobs', queue: 'batch', priorities: 'high:100' },
      {},
    );
    const { metadata, spec } = jobManifest({ ...ORDER, settings });
    expect(metadata?.labels).toMatchObject({
      'kueue.x-k8s.io/queue-name': 'batch',
      'kueue.x-k8s.io/priority-class': 'high',
    });
    expect(spec?.template.spec).not.toHaveProperty('priorityClassName');
  });

  test('of a gang has a pod for each rank, and one name for all of its members', () => {
    const gang = (rank: number) => ({ id: 'g/1', size: 3, rank });
    const names = [0, 1, 2].map((rank) => gangName({ gang: gang(rank), token: 40 + rank }));
    expect(new Set(names).size).toBe(1);
    expect(names[0]).toMatch(/^[a-z][-a-z0-9]{1,57}$/);
    // The next assembly of the gang.
    expect(gangName({ gang: gang(0), token: 44 })).not.toBe(names[0]);
    const attempt = { job: 'j', number: 1, token: 40, priority: 0, gang: gang(0) };
    const { spec } = jobManifest({ ...ORDER, network: 'host', attempt });
    expect(spec).toMatchObject({ completionMode: 'Indexed', completions: 3, parallelism: 3 });
    expect(spec?.template.spec?.subdomain).toBe('skein-1');
  });
});

describe('settings', () => {
  test('choose the class with the highest bound that a priority reaches', () => {
    const { priorities } = readSettings({ priorities: 'low:-1000, high:100 ,mid:0' }, {});
    expect([-5000, -1000, -1, 0, 99, 100, 1000].map((each) => classOf(each, priorities))).toEqual([
      undefined,
      'low',
      'low',
      'mid',
      'mid',
      'high',
      'high',
    ]);
  });

  test('that are no names of Kubernetes are refused', () => {
    for (const env of [
      { SKEIN_KUBERNETES_NAMESPACE: 'a/b' },
      { SKEIN_KUBERNETES_QUEUE: 'Upper' },
      { SKEIN_KUBERNETES_PRIORITIES: 'high' },
      { SKEIN_KUBERNETES_RUNTIME_CLASS: '-x' },
    ]) {
      expect(() => readSettings({}, env)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
  });
});

describe('leftovers', () => {
  const job = (uid: string, machine: string, owner: string, count = '0'): OwnedJob => ({
    metadata: {
      name: `skein-${uid}`,
      uid,
      labels: { 'skein.dev/machine': machine, 'skein.dev/owner': owner },
      annotations: { [RENEWED]: count },
    },
  });
  const here = { machine: 'm', isAlive: (owner: string) => owner === 'alive' };
  const none: SeenCounts = new Map();

  test('of this machine are found at once, by their process', () => {
    const jobs = [job('1', 'm', 'alive'), job('2', 'm', 'dead')];
    expect(findDead(jobs, none, 0, here).dead).toEqual(['skein-2']);
  });

  test('of another machine are found when they are not renewed, by the own clock', () => {
    const first = findDead(
      [job('1', 'other', 'x', '5'), job('2', 'other', 'y', '5')],
      none,
      0,
      here,
    );
    expect(first.dead).toEqual([]);
    const jobs = [job('1', 'other', 'x', '5'), job('2', 'other', 'y', '6')];
    expect(findDead(jobs, first.seen, 59_000, here).dead).toEqual([]);
    const third = findDead(jobs, findDead(jobs, first.seen, 59_000, here).seen, 60_000, here);
    expect(third.dead).toEqual(['skein-1']);
    // The second was renewed at 59 s, so it has until 119 s.
    expect(findDead([jobs[1]!], third.seen, 118_000, here).dead).toEqual([]);
    expect(findDead([jobs[1]!], third.seen, 119_000, here).dead).toEqual(['skein-2']);
  });
});

describe('the shell before a command', () => {
  const SCRIPT = readFileSync(new URL('../command/command.sh', import.meta.url), 'utf8');
  const shells = ['/bin/dash', '/bin/bash', '/usr/bin/busybox'].filter((each) => existsSync(each));
  /** Arguments with which each of them behaves as /bin/sh. */
  const asSh = (shell: string): string[] =>
    shell.endsWith('busybox') ? ['sh'] : shell.endsWith('bash') ? ['--posix'] : [];
  const through = (shell: string, words: readonly string[], rest: string): string => {
    const input = `${encodeWords(['/', 'env', '-i', 'A=1', ...words])}${rest}`;
    return execFileSync(shell, [...asSh(shell), '-c', SCRIPT, 'sh', '-', '-', '-'], {
      input,
    }).toString();
  };

  test.each(shells)('%s passes every word on as it is, and its stdin after them', (shell) => {
    const word = fc
      .string({ unit: 'grapheme', maxLength: 20 })
      .filter((each) => !each.includes('\0'));
    const odd = fc.constantFrom(
      '',
      ' ',
      '\n',
      'a\nb\n',
      '$(id)',
      "'",
      '"',
      '\\',
      '\\n',
      '\\0134',
      '-n',
      '*',
      '\t x ',
      '%s',
      '\r',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, odd), { maxLength: 6 }), (words) => {
        const output = through(
          shell,
          ['sh', '-c', String.raw`printf '%s\0' "$@"; cat`, 'sh', ...words],
          'the rest\n',
        );
        const [, ...parts] = output.split('\n');
        expect(parts.join('\n').split('\0')).toEqual(
          words.length === 0 ? ['', 'the rest\n'] : [...words, 'the rest\n'],
        );
      }),
      { numRuns: 40 },
    );
  });

  test.each(shells)('%s holds its limits', (shell) => {
    const input = encodeWords(['/', 'sh', '-c', 'ulimit -f; ulimit -t']);
    const { stdout } = spawnSync(shell, [...asSh(shell), '-c', SCRIPT, 'sh', '20', '3', '50'], {
      input,
    });
    expect(stdout.toString().split('\n').slice(1)).toEqual(['20', '3', '']);
  });

  test('a status of the API server is one of a shell', () => {
    expect(exitStatus({ status: 'Success' })).toBe(0);
    const details = { causes: [{ reason: 'ExitCode', message: '139' }] };
    expect(exitStatus({ status: 'Failure', details })).toBe(139);
    expect(exitStatus({ status: 'Failure', message: 'container not found' })).toBeUndefined();
  });
});
