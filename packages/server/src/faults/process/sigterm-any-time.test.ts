/**
 * SIGTERM at every moment of a node's life, from the start of its process on: the node exits with
 * 0, does not crash, releases its lock, and has answered what it accepted. SKEIN_FULL=1 uses finer
 * steps.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { mlp } from '@skein/onnx';
import { openDataFolder } from '@skein/state';
import { startCli } from '../../../../cli/src/testing/cli.ts';
import { counting } from '../../../../runtime/src/testing/models.ts';
import { isRunning } from '../../../../runtime/src/testing/processes.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { replicaProcessesOf } from '../../testing/replica-processes.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const FULL = process.env['SKEIN_FULL'] === '1';
const GRACE_MS = 4_000;
/** The process kills itself 900 ms after its grace time, so exit code 0 means in time. */
const SLACK_MS = 1_000;
vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 });

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly tookMs: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * While Node copies its own code into huge pages, before it runs any of Skein's, its handler of a
 * signal may be zeros, and the process ends with SIGSEGV in place of the signal. Without huge pages
 * every SIGSEGV is a fault.
 */
const SMALL_PAGES = { NODE_OPTIONS: '--use-largepages=off' };

/** Starts a node, sends the signal after `ms`, and waits for the end. */
async function endAfter(folder: string, ms: number, signal: NodeJS.Signals): Promise<End> {
  const up = startCli(
    [
      'up',
      '--port',
      '0',
      '--grpc-port',
      '0',
      '--log',
      'json',
      '--json',
      '--grace',
      `${GRACE_MS}ms`,
    ],
    { cwd: folder, env: SMALL_PAGES },
  );
  await sleep(ms);
  const sentAt = performance.now();
  up.process.kill(signal);
  const { code, stdout, stderr } = await up.ended;
  const tookMs = performance.now() - sentAt;
  return { code, signal: up.process.signalCode, tookMs, stdout, stderr };
}

/** The node has ended cleanly, and the next node can take the folder. */
async function expectCleanEnd(end: End, folder: string, ms: number): Promise<void> {
  // A process that is killed before its first line of code has no state to clean up.
  const notStarted =
    (end.signal === 'SIGTERM' || end.signal === 'SIGINT') &&
    end.stdout === '' &&
    !existsSync(join(folder, '.skein/lock'));
  const how = `after ${ms} ms: ${end.code} ${end.signal}\n${end.stderr}`;
  if (!notStarted) expect([end.code, how]).toEqual([0, how]);
  expect(end.stderr).not.toMatch(/FATAL|Aborted|Assertion|"level":"(error|fatal)"/);
  expect(end.tookMs).toBeLessThan(GRACE_MS + SLACK_MS);
  expect(end.stderr).not.toContain('did not stop in time');
  expect(existsSync(join(folder, '.skein/node.json'))).toBe(false);
  if (!notStarted && existsSync(join(folder, '.skein/lock'))) {
    await (await openDataFolder(join(folder, '.skein'))).close();
  }
}

const steps = (end: number, few: number): number[] => {
  const count = FULL ? few * 6 : few;
  return Array.from({ length: count }, (_, i) => Math.round((i * end) / (count - 1)));
};

describe('from the start of the process', () => {
  it('of a new node', async () => {
    for (const ms of steps(1_500, 10)) {
      const folder = testFolder();
      const end = await endAfter(folder, ms, ms % 2 === 0 ? 'SIGTERM' : 'SIGINT');
      await expectCleanEnd(end, folder, ms);
    }
  });

  describe('of a node that restores deployments', () => {
    const folder = testFolder();
    beforeAll(async () => {
      await using node = await startNodeProcess({ folder, jobs: true });
      await node.deploy('small', mlp({ sizes: [4, 8, 3], seed: 1 }));
      await node.deploy('apart', mlp({ sizes: [4, 8, 3], seed: 2 }), {
        isolation: 'process',
        oversubscribe: true,
      });
      await node.deploy('large', mlp({ sizes: [4, 1500, 1500, 3], seed: 1 }), {
        oversubscribe: true,
      });
      await node.stop();
    });

    it('and the deployments are kept', async () => {
      for (const ms of steps(2_000, 12)) {
        const end = await endAfter(folder, ms, 'SIGTERM');
        // The lock exists from the previous run.
        const notStarted = end.signal === 'SIGTERM' && end.stdout === '' && end.stderr === '';
        if (!notStarted) await expectCleanEnd(end, folder, ms);
      }
      await using node = await startNodeProcess({ folder, jobs: true });
      const { deployments } = await node.client.listDeployments();
      expect(deployments.map(({ name, status }) => `${name} ${status}`).toSorted()).toEqual([
        'apart ready',
        'large ready',
        'small ready',
      ]);
    });
  });
});

describe('while it serves', () => {
  const ask = (node: NodeProcess, rounds: bigint) =>
    node.client.infer('counting', {
      rounds: { shape: [], data: BigInt64Array.of(rounds) },
      x: { shape: [], data: Float32Array.of(0) },
    });

  it('with a job, an event stream, a rollout, and requests: no request is lost', async () => {
    const delays = FULL ? [0, 20, 50, 100, 150, 200, 300, 400, 600, 900] : [0, 120, 400];
    for (const ms of delays) {
      await using node = await startNodeProcess({ jobs: true, args: ['--grace', `${GRACE_MS}ms`] });
      await node.deploy('counting', counting(), {
        objective: { latencyMs: 30_000 },
        replicas: { min: 1, max: 1 },
        isolation: 'process',
      });
      const children = process.platform === 'linux' ? replicaProcessesOf(node.pid) : [];
      const events = await fetch(`${node.url}/api/v1/events`);
      const reader = events.body!.getReader();
      await reader.read();
      const { jobs } = await node.client.enqueueJobs({
        jobs: [
          {
            name: 'long',
            work: { kind: 'command', argv: ['sleep', '60'], trusted: true, sandbox: 'process' },
          },
        ],
      });
      const outcomes: string[] = [];
      let asking = true;
      const client = async (): Promise<void> => {
        while (asking) {
          const outcome = await ask(node, 20_000n).then(
            () => 'answered',
            ({ code, message }: { code?: string; message: string }) => code ?? message,
          );
          outcomes.push(outcome);
          if (outcome !== 'answered') return;
        }
      };
      const clients = [client(), client(), client()];
      const rollout = node
        .deploy('counting', mlp({ sizes: [4, 600, 600, 3], seed: 1 }))
        .catch(({ code }: { code?: string }) => code);
      await sleep(ms);
      const begun = performance.now();
      const { code, stderr } = await node.stop();
      const tookMs = performance.now() - begun;
      asking = false;
      await Promise.all([...clients, rollout]);
      await reader.cancel().catch(() => undefined);
      const how = `after ${ms} ms, in ${Math.round(tookMs)} ms\n${stderr}`;
      expect([code, how]).toEqual([0, how]);
      expect(tookMs).toBeLessThan(GRACE_MS + SLACK_MS);
      expect(jobs).toHaveLength(1);
      const refusals = new Set(outcomes.filter((outcome) => outcome !== 'answered'));
      for (const refusal of refusals) {
        // Not accepted, or rejected because the node is draining, or rejected because a new version
        // took over.
        expect(refusal).toMatch(/^(NODE_DRAINING|INPUT_\w+|NODE_UNREACHABLE|.*fetch failed.*)$/);
      }
      await expect.poll(() => children.filter(isRunning)).toEqual([]);
    }
  });

  it('and its event loop stands still: the process is killed when its time is over', async () => {
    const main = join(import.meta.dirname, '../../../../cli/src/process/exit.ts');
    const script = `
      const { mustEndWithin } = await import(${JSON.stringify(main)});
      mustEndWithin(300);
      await new Promise((resolve) => setTimeout(resolve, 200));
      console.log('stands');
      for (;;);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const begun = performance.now();
    const signal = await new Promise((resolve) => child.on('exit', (_, how) => resolve(how)));
    expect(signal).toBe('SIGKILL');
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
