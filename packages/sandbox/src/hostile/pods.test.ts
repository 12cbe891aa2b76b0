/**
 * The hostile corpus over the kubernetes driver, on the cluster of the tests: each program gets a pod of
 * its own, as untrusted work does there. A pod takes a second, so SKEIN_FULL=1 runs the whole corpus, and
 * a few programs of each kind of attack stand for it otherwise.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { SandboxDriver, SessionOptions } from '../contract.ts';
import { createKubernetes } from '../kubernetes/kubernetes.ts';
import {
  IMAGE,
  NAMESPACE,
  startTestCluster,
  type TestCluster,
} from '../kubernetes/testing/test-cluster.ts';
import { leftovers, mounts, setCanaries, type Canaries } from './testing/canaries.ts';
import { describeEnding, endingOf, LIMITS, readCorpus } from './testing/corpus.ts';

const FULL = process.env['SKEIN_FULL'] === '1';
const SAMPLE = new Set([
  'fork-bomb.c',
  'kill-others.c',
  'memory-heap.c',
  'network-ipv4.py',
  'output-flood.c',
  'ptrace.c',
  'read-host-files.py',
]);
/**
 * Harm that a pod may do to itself under the seccomp profile `RuntimeDefault`, where the other drivers
 * have a filter of their own; none of it may reach beyond the pod. The buffers of sockets are counted by
 * control groups v2 alone.
 */
const FREE = new Set([
  'memory-tcp.c',
  'memory-udp.c',
  'other-abi.c',
  'page-cache.c',
  'ptrace.c',
  'write-everywhere.py',
]);

const skip = ['test-cluster', 'gcc'].some(
  (name) => requireComponent(name as Parameters<typeof requireComponent>[0]).skip,
);
/** The image has no compiler for those that attack with one. */
const PROGRAMS = skip
  ? []
  : readCorpus().filter(({ name }) => (FULL ? !name.startsWith('compiler-') : SAMPLE.has(name)));
const OPTIONS: SessionOptions = { mounts: [], limits: LIMITS, network: 'none', untrusted: true };

describe.skipIf(skip)('in pods', () => {
  let cluster: TestCluster;
  let driver: SandboxDriver;
  let canaries: Canaries;
  const mark = `guest-${crypto.randomUUID()}`;
  const mountsBefore = mounts();

  beforeAll(async () => {
    cluster = await startTestCluster({ killsGroup: true });
    process.env['KUBECONFIG'] = cluster.kubeconfig;
    driver = createKubernetes({ namespace: NAMESPACE, image: IMAGE });
    await driver.availability();
    canaries = await setCanaries();
  }, 120_000);
  afterAll(async () => {
    await canaries.close();
    await cluster.close();
    delete process.env['KUBECONFIG'];
  }, 60_000);

  test.each(PROGRAMS.map((program) => [program.name, program] as const))(
    '%s',
    async (_name, program) => {
      const { argv, content, limits } = program;
      const session = await driver.open(OPTIONS);
      await session.put([{ path: argv[1] ?? 'program', content, executable: true }]);
      const env = { ...canaries.env, VICTIM_MARK: mark, DISK_BYTES: String(LIMITS.diskBytes) };
      const ending = await session.run({ argv, limits, env, workspace: 'writable' });
      await session.close();
      const output = `${Buffer.from(ending.stdout)}${Buffer.from(ending.stderr)}`.slice(0, 2000);
      if (!FREE.has(program.name)) expect.soft(output).not.toContain('ESCAPED');
      const accepted = FREE.has(program.name) ? ['exit 1', ...program.expect] : program.expect;
      expect
        .soft(accepted, `${describeEnding(ending)} ${output}`)
        .toContain(endingOf(ending, program));
      expect.soft(canaries.damage()).toEqual([]);
    },
    120_000,
  );

  test('nothing is left on the host, nor in the cluster', async () => {
    await driver.close();
    expect(leftovers(mark)).toEqual([]);
    expect(mounts()).toEqual(mountsBefore);
    expect(cluster.objects.list('batch/jobs', NAMESPACE)).toEqual([]);
  });
});
