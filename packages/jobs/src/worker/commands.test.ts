/** Commands as jobs, in each sandbox that runs here: inputs, outputs, and endings. */
import { randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBubblewrap } from '@skein/sandbox/bubblewrap';
import { createDocker } from '@skein/sandbox/docker';
import type { SandboxDriver } from '@skein/sandbox';
import { createProcessSandbox } from '@skein/sandbox/process';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { restoreCheckpoint } from './attempt/checkpoint.ts';
import { command, workerFixture, type WorkerFixture } from './testing/worker-fixture.ts';

const MIB = 2 ** 20;

interface Case {
  readonly name: string;
  readonly skip: boolean;
  /** The trust that the sandbox needs. */
  readonly trust: { readonly trusted: boolean };
  readonly driver: SandboxDriver;
}
const processes = createProcessSandbox();
const cases: readonly Case[] = [
  {
    name: 'bubblewrap',
    skip: requireComponent('bubblewrap').skip,
    trust: { trusted: false },
    driver: createBubblewrap(),
  },
  {
    name: 'docker',
    skip: requireComponent('sandbox-image').skip,
    trust: { trusted: false },
    driver: createDocker(),
  },
  { name: 'process', skip: false, trust: { trusted: true }, driver: processes },
];
afterAll(async () => {
  for (const { driver } of cases) await driver.close();
});

let jobs: WorkerFixture;
afterEach(() => jobs[Symbol.asyncDispose]());

const shell = (script: string): readonly string[] => ['/bin/sh', '-c', script];
async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
const store = async (content: Uint8Array) =>
  (await jobs.artifacts.put(once(content), 1 << 30)).digest;
async function contentOf(digest: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of jobs.artifacts.read(digest)) parts.push(part);
  return Buffer.concat(parts);
}

describe.each(cases.filter(({ skip }) => !skip))(
  'a command in $name',
  ({ driver, trust, name }) => {
    beforeEach(async () => {
      jobs = await workerFixture({ sandboxes: [driver] });
    });

    it('gets its inputs and stdin, and leaves its outputs', async () => {
      const worker = await jobs.start();
      expect(worker.labels).toContain(`sandbox:${name}`);
      const big = randomBytes(3_000_000);
      const work = command(
        shell(
          `set -e; mkdir -p out/more; cat; cat data/deep/big.bin > out/copy.bin
         echo small > out/more/a.txt; echo "$WHO" > single; echo oops >&2`,
        ),
        {
          ...trust,
          env: { WHO: 'größe = $HOME' },
          inputs: [
            { path: 'data/deep/big.bin', digest: await store(big) },
            { path: 'list.txt', digest: await store(Buffer.from('x')) },
          ],
          stdin: await store(Buffer.from('from stdin\n')),
          outputs: [{ path: 'out' }, { path: 'single' }, { path: 'never', optional: true }],
        },
      );
      const job = await jobs.run(work);
      expect(job).toMatchObject({ state: 'succeeded', result: { value: { exitCode: 0 } } });
      const outputs = new Map(job.result!.outputs.map((each) => [each.path, each]));
      expect([...outputs.keys()].toSorted()).toEqual(['out/copy.bin', 'out/more/a.txt', 'single']);
      expect(outputs.get('out/copy.bin')!.sizeBytes).toBe(3_000_000);
      expect(big.equals(await contentOf(outputs.get('out/copy.bin')!.digest))).toBe(true);
      expect((await contentOf(outputs.get('single')!.digest)).toString()).toBe('größe = $HOME\n');
      const log = await jobs.logOf(job.id);
      expect(log).toContain('from stdin\n');
      expect(log).toContain('oops\n');
      expect(job.attempts[0]!.usage!['wallMs']).toBeGreaterThan(0);
      expect(job.attempts[0]!.usage!['peakMemoryBytes']).toBeGreaterThan(0);
    });

    it('may be a program that it brings along', async () => {
      await jobs.start();
      const inputs = [
        { path: 'bin/own', digest: await store(Buffer.from('#!/bin/sh\necho "$1"\n')) },
      ];
      const job = await jobs.run(command(['bin/own', 'ran'], { ...trust, inputs }));
      expect([job.state, await jobs.logOf(job.id)]).toEqual(['succeeded', 'ran\n']);
    });

    it.skipIf(trust.trusted)(
      'finds in its log which connections its address list refused',
      async () => {
        await jobs.start();
        const asks =
          "import socket; proxy = socket.create_connection(('127.0.0.1', 3128)); " +
          "proxy.sendall(b'CONNECT not.listed.example:443 HTTP/1.1\\r\\n\\r\\n'); proxy.recv(4096)";
        const work = command(['python3', '-c', asks], {
          ...trust,
          network: { allow: ['listed.example:443'] },
        });
        const job = await jobs.run(work);
        expect(job).toMatchObject({ state: 'succeeded' });
        expect(await jobs.logOf(job.id)).toContain('not.listed.example:443');
      },
    );

    it.each([
      ['exit 3', {}, { cause: 'exit-code', message: expect.stringContaining('exited with 3') }],
      [
        'echo no such column >&2; exit 1',
        {},
        { cause: 'exit-code', message: expect.stringContaining('no such column') },
      ],
      ['kill -SEGV $$', {}, { cause: 'signal', message: expect.stringContaining('SIGSEGV') }],
      [
        'sleep 60',
        { wallMs: 300 },
        { cause: 'timeout', message: expect.stringContaining('300 ms') },
      ],
      ['while :; do :; done', { cpuMs: 300 }, { cause: 'timeout' }],
      ['yes', { outputBytes: 100_000 }, { cause: 'output-limit' }],
      ['exec tail /dev/zero', { memoryBytes: 64 * MIB }, { cause: 'out-of-memory' }],
    ])('that ends with `%s` has its own cause', async (script, limits, expected) => {
      await jobs.start();
      const job = await jobs.run(command(shell(script), { ...trust, limits }));
      expect(job).toMatchObject({ state: 'dead', ...expected });
    });

    it('fails when a declared output is missing', async () => {
      await jobs.start();
      const job = await jobs.run(
        command(['true'], { ...trust, outputs: [{ path: 'model.onnx' }] }),
      );
      expect(job).toMatchObject({ state: 'dead', cause: 'error' });
      expect(job.message).toContain('model.onnx');
      const final = command(['true'], {
        ...trust,
        outputs: [{ path: 'model.onnx' }],
        retryFailure: false,
      });
      expect(await jobs.run(final)).toMatchObject({ state: 'failed' });
    });

    it('reports its progress by lines on stderr, which are not in its log', async () => {
      await jobs.start();
      const { id } = await jobs.enqueue(
        command(shell('echo begin >&2; echo "::progress 0.4 epoch 2" >&2; sleep 30'), trust),
      );
      const { progress } = await jobs.until(id, (job) => job.progress !== undefined);
      expect(progress).toEqual({ fraction: 0.4, message: 'epoch 2' });
      await expect.poll(() => jobs.logOf(id), { timeout: 10_000 }).toBe('begin\n');
      await jobs.store.cancel(id, '');
    });

    it('is dead soon after it was cancelled', async () => {
      const worker = await jobs.start();
      const { id } = await jobs.enqueue(
        command(
          shell('trap "" TERM INT; echo "::progress 0 up" >&2; while :; do sleep 1; done'),
          trust,
        ),
      );
      await jobs.until(id, (job) => job.progress !== undefined);
      await jobs.store.cancel(id, 'enough');
      await expect.poll(() => worker.running(), { timeout: 10_000 }).toEqual([]);
      expect(await jobs.store.job(id)).toMatchObject({ state: 'cancelled', message: 'enough' });
    });

    it('resumes from its checkpoint after a preemption', async () => {
      await jobs.start();
      const script = `
      n=$(cat state/n 2>/dev/null || echo 0)
      if [ "$n" = 2 ]; then echo done; exit 0; fi
      trap 'mkdir -p state; echo $((n + 1)) > state/n; exit 0' TERM
      echo "::progress 0.$n at $n" >&2
      while :; do sleep 0.05; done`;
      const { id } = await jobs.enqueue(command(shell(script), { ...trust, checkpoint: 'state' }));
      for (const at of ['at 0', 'at 1']) {
        await jobs.until(id, ({ progress }) => progress?.message === at);
        await jobs.store.preempt(id);
      }
      const job = await jobs.ended(id);
      expect(job.attempts.map(({ outcome }) => outcome)).toEqual([
        'preempted',
        'preempted',
        'succeeded',
      ]);
      expect(job.state).toBe('succeeded');
    });

    it('resumes from its checkpoint after a failure', async () => {
      await jobs.start();
      const script = 'if [ -e state ]; then exit 0; fi; echo 1 > state; exit 9';
      const job = await jobs.run(command(shell(script), { ...trust, checkpoint: 'state' }), {
        retry: { maxAttempts: 3, backoffMs: 0, maxBackoffMs: 0 },
      });
      expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['exit-code', 'succeeded']);
    });

    it('has its checkpoint kept while it runs, when it announces that it is complete', async () => {
      await jobs.start();
      // More than the command itself may write.
      const script = `
      mkdir next && echo 7 > next/n && head -c 300000 /dev/zero > next/weights && mv next state
      echo before >&2; echo ::checkpoint >&2; echo after >&2
      sleep 60`;
      const { id } = await jobs.enqueue(
        command(shell(script), { ...trust, checkpoint: 'state', limits: { outputBytes: 1000 } }),
      );
      const checkpoint = async () => (await jobs.store.job(id))?.checkpoint;
      await expect.poll(checkpoint, { timeout: 15_000 }).toBeDefined();
      expect(await jobs.store.job(id)).toMatchObject({ state: 'running' });
      const files = new Map<string, string>();
      const put = async (given: Iterable<{ path: string; content: Uint8Array }>) => {
        for (const { path, content } of given) files.set(path, Buffer.from(content).toString());
      };
      await restoreCheckpoint({ put }, (await checkpoint())!, jobs);
      expect(files.get('state/n')).toBe('7\n');
      expect(files.get('state/weights')).toHaveLength(300_000);
      await expect.poll(() => jobs.logOf(id), { timeout: 10_000 }).toBe('before\nafter\n');
      await jobs.store.cancel(id, '');
    });

    it('is handed back by a worker that drains, and finishes on another', async () => {
      const first = await jobs.start({ graceMs: 500 });
      const script = `
      if [ -e state ]; then exit 0; fi
      trap 'echo 1 > state; exit 0' TERM
      echo "::progress 0.5 up" >&2
      while :; do sleep 0.05; done`;
      const { id } = await jobs.enqueue(command(shell(script), { ...trust, checkpoint: 'state' }));
      await jobs.until(id, (job) => job.progress !== undefined);
      await first.drain(0);
      expect(await jobs.store.job(id)).toMatchObject({ state: 'ready', cause: 'preempted' });
      const second = await jobs.start();
      const job = await jobs.ended(id);
      expect(job.state).toBe('succeeded');
      expect(job.attempts.map(({ worker }) => worker)).toEqual([first.id, second.id]);
    });

    it('does not run over an input that was damaged on the disk', async () => {
      await jobs.start();
      const digest = await store(randomBytes(1000));
      const path = await jobs.artifacts.pathOf(digest);
      await chmod(path, 0o600);
      await writeFile(path, 'damaged');
      const job = await jobs.run(command(['true'], { ...trust, inputs: [{ path: 'x', digest }] }));
      expect(job).toMatchObject({ state: 'dead', cause: 'error' });
      expect(job.message).toContain(`sha256:${digest}`);
    });
  },
);

describe('work that no sandbox here may run', () => {
  beforeEach(async () => {
    jobs = await workerFixture({ sandboxes: [processes] });
  });

  it('is refused with the missing piece, once', async () => {
    await jobs.start();
    const job = await jobs.run(command(['true']), {
      retry: { maxAttempts: 5, backoffMs: 0, maxBackoffMs: 0 },
    });
    expect(job).toMatchObject({ state: 'failed', cause: 'refused' });
    expect(job.attempts).toHaveLength(1);
    expect(job.message).toContain('bubblewrap: the worker was started without it');
  });

  it('is refused by a worker that runs no trusted work', async () => {
    await jobs.start({ trusts: false });
    const job = await jobs.run(command(['true'], { trusted: true }));
    expect(job).toMatchObject({ state: 'failed', cause: 'refused' });
    expect(job.message).toContain('runs no trusted work');
  });
});

it('gives the members of a gang each other’s address', async () => {
  jobs = await workerFixture({ sandboxes: [processes] });
  await jobs.start();
  await jobs.start();
  const specs = [0, 1].map((rank) => ({
    work: command(shell('echo $MASTER_ADDR $MASTER_PORT $RANK $WORLD_SIZE'), {
      trusted: true,
      network: 'host' as const,
    }),
    changes: {
      gang: { id: 'ddp', size: 2, rank },
      resources: { cores: 2, memoryBytes: 64 * MIB },
    },
  }));
  const members = await jobs.enqueueAll(specs);
  const ended = await Promise.all(members.map(({ id }) => jobs.ended(id)));
  expect(ended.map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
  const logs = await Promise.all(ended.map(({ id }) => jobs.logOf(id)));
  const [first, second] = logs.map((log) => log.trim().split(' '));
  expect(first!.slice(0, 2)).toEqual(second!.slice(0, 2));
  expect(first![0]).toBe('127.0.0.1');
  expect(Number(first![1])).toBeGreaterThan(0);
  expect([first!.slice(2), second!.slice(2)]).toEqual([
    ['0', '2'],
    ['1', '2'],
  ]);
  const [one, two] = ended.map(({ attempts }) => attempts[0]!.worker);
  expect(one).not.toBe(two);
});
