/** The API server of the tests, as an unmodified `kubectl` sees it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { IMAGE, startTestCluster, type TestCluster } from './testing/test-cluster.ts';

const run = promisify(execFile);
const skip = requireComponent('test-cluster').skip || requireComponent('kubectl').skip;

function job(name: string, script: string, more = ''): string {
  return `
apiVersion: batch/v1
kind: Job
metadata: { name: ${name}, labels: { app: test } }
spec:
  backoffLimit: 0
${more}
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: ${IMAGE}
          command: [sh, -c, ${JSON.stringify(script)}]
`;
}

describe.skipIf(skip)('kubectl', () => {
  let cluster: TestCluster;
  const folder = testFolder();

  beforeAll(async () => {
    cluster = await startTestCluster();
  }, 60_000);
  afterAll(async () => {
    await cluster.close();
  }, 60_000);

  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    KUBECONFIG: cluster.kubeconfig,
    HOME: folder,
  });
  const kubectl = async (...args: string[]): Promise<string> =>
    (await run('kubectl', args, { env: environment() })).stdout;
  const create = async (manifest: string): Promise<string> => {
    const path = join(folder, 'manifest.yaml');
    await writeFile(path, manifest);
    return await kubectl('create', '--validate=false', '-f', path);
  };

  test('creates a Job, waits for it, reads its log and deletes it with its pod', async () => {
    expect(await kubectl('version')).toContain('v1.32.3-test');
    expect(await kubectl('api-resources')).toMatch(/networkpolicies\s+netpol/);
    expect(await create(job('hello', 'echo from the pod; exit 0'))).toBe(
      'job.batch/hello created\n',
    );
    expect(await kubectl('wait', '--for=condition=complete', '--timeout=30s', 'job/hello')).toMatch(
      /condition met/,
    );
    expect(await kubectl('logs', '-l', 'job-name=hello')).toBe('from the pod\n');
    expect(await kubectl('get', 'jobs', '-l', 'app=test', '-o', 'name')).toBe('job.batch/hello\n');
    const code = '{.items[0].status.containerStatuses[0].state.terminated.exitCode}';
    expect(await kubectl('get', 'pods', '-o', `jsonpath=${code}`)).toBe('0');
    expect(await kubectl('delete', 'job', 'hello')).toContain('deleted');
    expect(await kubectl('get', 'pods', '-o', 'name')).toBe('');
    await expect(kubectl('get', 'job', 'hello')).rejects.toThrow(/NotFound/);
  }, 60_000);

  test('runs a program in a pod over WebSockets, and follows what it prints', async () => {
    await create(job('long', 'echo begun; read -r line < /proc/self/fd/0; sleep 600'));
    await kubectl('wait', '--for=jsonpath={.status.phase}=Running', 'pod', '-l', 'job-name=long');
    const pod = (await kubectl('get', 'pods', '-l', 'job-name=long', '-o', 'name')).trim();
    const cat = spawn(
      'kubectl',
      ['exec', '-i', pod, '--', 'sh', '-c', 'cat; echo end >&2; exit 7'],
      {
        env: environment(),
      },
    );
    cat.stdin.end('through the cluster\n');
    const [out, err, [status]] = await Promise.all([
      text(cat.stdout),
      text(cat.stderr),
      once(cat, 'exit') as Promise<[number]>,
    ]);
    expect([out, status]).toEqual(['through the cluster\n', 7]);
    expect(err).toMatch(/^end\n/);
    await kubectl('annotate', pod, 'note=seen');
    expect(await kubectl('get', pod, '-o', 'jsonpath={.metadata.annotations.note}')).toBe('seen');
    await kubectl('delete', 'job', 'long');
  }, 60_000);

  test('sees why a Job failed, and that another is gone after its time to live', async () => {
    await create(job('fails', 'exit 3'));
    await kubectl('wait', '--for=condition=failed', '--timeout=30s', 'job/fails');
    const reason = 'jsonpath={.status.conditions[0].reason}';
    expect(await kubectl('get', 'job', 'fails', '-o', reason)).toBe('BackoffLimitExceeded');
    await create(job('late', 'sleep 600', '  activeDeadlineSeconds: 1'));
    await kubectl('wait', '--for=condition=failed', '--timeout=30s', 'job/late');
    expect(await kubectl('get', 'job', 'late', '-o', reason)).toBe('DeadlineExceeded');
    await create(job('brief', 'true', '  ttlSecondsAfterFinished: 1'));
    await kubectl('wait', '--for=delete', '--timeout=30s', 'job/brief');
    await expect(create(job('fails', 'true'))).rejects.toThrow(/AlreadyExists/);
    await kubectl('delete', 'job', '-l', 'app=test');
  }, 60_000);

  test('is refused without the token', async () => {
    const config = JSON.parse(await kubectl('config', 'view', '--raw', '-o', 'json')) as {
      users: { user: { token: string } }[];
    };
    config.users[0]!.user.token = 'another';
    const path = join(folder, 'stranger.json');
    await writeFile(path, JSON.stringify(config));
    const asked = run('kubectl', ['--kubeconfig', path, 'get', 'pods'], { env: environment() });
    await expect(asked).rejects.toThrow(/logged in|Unauthorized/);
  });
});
