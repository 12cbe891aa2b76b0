/**
 * The rows about sandboxes: the cost of one, the time until a cancelled one is dead, and the judge against
 * one `docker run` per test. Rows with Docker are measured where `DOCKER_HOST` answers.
 */
import { createBubblewrap } from '@skein/sandbox/bubblewrap';
import { createDocker } from '@skein/sandbox/docker';
import { openRedisJobs } from '@skein/jobs/redis';
import type { SandboxDriver } from '@skein/sandbox';
import { startRedis } from '../../../packages/jobs/src/store/testing/redis-server.ts';
import { quantile } from '../harness/statistics.ts';
import { measureCancel } from './cancel.ts';
import { measureJudge } from './judge.ts';
import type { RowGroup } from '../harness/row-group.ts';

const LIMITS = {
  cpuMs: 1000,
  wallMs: 5000,
  memoryBytes: 2 ** 28,
  pids: 32,
  outputBytes: 2 ** 16,
  fileBytes: 2 ** 20,
  diskBytes: 2 ** 24,
};

/** Image of the peer; made by deploy/sandbox/base-image.sh. */
const IMAGE = 'skein-sandbox:minimal';

/** @returns the p50 of `/bin/true` from its start to its account, in a session that is open, in milliseconds. */
async function overheadOf(driver: SandboxDriver, rounds: number): Promise<number> {
  const session = await driver.open({
    mounts: [],
    limits: LIMITS,
    network: 'none',
    untrusted: true,
  });
  try {
    const samples: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const begun = performance.now();
      const { exitCode } = await session.run({ argv: ['/bin/true'], workspace: 'read-only' });
      samples.push(performance.now() - begun);
      if (exitCode !== 0) throw new Error(`/bin/true ended with ${exitCode}.`);
    }
    return quantile(samples, 0.5);
  } finally {
    await session.close();
  }
}

async function cancelIn(driver: SandboxDriver, rounds: number) {
  const redis = await startRedis({ fsync: 'everysec' });
  try {
    const open = () => openRedisJobs(redis.url, { namespace: 'bench' });
    return await measureCancel(open, driver, rounds);
  } finally {
    await redis.destroy();
  }
}

export const SANDBOX_ROWS: RowGroup = {
  measures: [
    {
      key: 'bwrap_ms',
      what: 'overhead of bubblewrap, p50 of /bin/true',
      unit: ' ms',
      target: { atMost: 10 },
    },
    {
      key: 'docker_warm_ms',
      what: 'overhead of warm docker, p50 of /bin/true',
      unit: ' ms',
      target: { atMost: 70 },
    },
    {
      key: 'judge_vs_docker_run',
      what: 'the 20 tests of a C++ submission, over one hardened docker run per test (full run)',
      unit: '×',
      target: { atLeast: 10 },
    },
    {
      key: 'cancel_p99_ms',
      what: 'cancel of a running container to dead, p99',
      unit: ' ms',
      target: { atMost: 1000 },
    },
  ],
  async measure({ quick, progress }) {
    const results: Record<string, number> = {};
    const details: Record<string, unknown> = {};
    const [bubblewrap, docker] = [createBubblewrap(), createDocker()];
    try {
      const [inBubblewrap, inDocker] = await Promise.all([
        bubblewrap.availability(),
        docker.availability(),
      ]);
      if (inBubblewrap.available) {
        progress('/bin/true in bubblewrap');
        results['bwrap_ms'] = await overheadOf(bubblewrap, quick ? 100 : 1000);
      } else details['bubblewrap'] = `${inBubblewrap.reason} ${inBubblewrap.fix}`;
      if (inDocker.available) {
        progress('/bin/true in warm docker');
        results['docker_warm_ms'] = await overheadOf(docker, quick ? 30 : 300);
      } else details['docker'] = `${inDocker.reason} ${inDocker.fix}`;
      if (inDocker.available) {
        progress('cancel in docker');
        const cancel = await cancelIn(docker, quick ? 20 : 200);
        results['cancel_p99_ms'] = cancel.p99Ms;
        details['cancel'] = { p50Ms: cancel.p50Ms };
      }
      if (!quick && inDocker.available) {
        progress('the judge against docker run');
        const judged = await measureJudge({
          driver: inBubblewrap.available ? bubblewrap : docker,
          image: IMAGE,
          rounds: 5,
        });
        results['judge_vs_docker_run'] = judged.ratio;
        details['judge'] = { judgeMs: judged.judgeMs, dockerRunMs: judged.dockerRunMs };
      }
    } finally {
      await Promise.all([bubblewrap.close(), docker.close()]);
    }
    return { results, details };
  },
};
