/** A node inside a container: in control groups of this machine, where they can be made. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { createClient } from '@skein/api/client';
import { ownGroup, readMounts } from '@skein/api/control-groups';
import { type CliProcess, runCli, startCli } from '../../testing/cli.ts';
import type { UpResult } from '../../output/up.ts';

const MIB = 2 ** 20;
const MAIN = join(import.meta.dirname, '../../main.ts');

/**
 * Groups inside this process's own: `outer` has the bounds and `inner`, without any, the node.
 * @returns the folders of `inner`, or undefined where this user can make none.
 */
function makeGroups(): { inner: string[]; made: string[] } | undefined {
  const made: string[] = [];
  try {
    const { v1 } = readMounts(readFileSync('/proc/self/mountinfo', 'latin1'));
    const own = readFileSync('/proc/self/cgroup', 'latin1');
    const bounds = {
      memory: [['memory.limit_in_bytes', 300 * MIB]],
      cpu: [
        ['cpu.cfs_period_us', 100_000],
        ['cpu.cfs_quota_us', 50_000],
      ],
    } as const;
    const inner = Object.entries(bounds).map(([controller, texts]) => {
      const mount = v1.get(controller);
      if (mount === undefined) throw new Error(`version 1 has no ${controller} here`);
      const outer = join(mount, ownGroup(own, controller), `skein-container-${process.pid}`);
      for (const folder of [outer, join(outer, 'inner')]) {
        mkdirSync(folder);
        made.push(folder);
      }
      for (const [file, value] of texts) writeFileSync(join(outer, file), String(value));
      return join(outer, 'inner');
    });
    return { inner, made };
  } catch {
    for (const folder of made.toReversed()) rmdirSync(folder);
    return undefined;
  }
}

const groups = makeGroups();

describe.skipIf(groups === undefined)('in a container of 300 MiB and half a core', () => {
  const folder = testFolder();
  /** Joins the groups, then becomes the command. */
  const JOIN = 'for group in $GROUPS_TO_JOIN; do echo $$ > $group/cgroup.procs; done; exec "$@"';
  const inside = {
    cwd: folder,
    env: { GROUPS_TO_JOIN: groups?.inner.join(' ') ?? '' },
    program: ['/bin/sh', '-c', JOIN, 'sh', process.execPath, MAIN] as const,
  };
  let up: CliProcess | undefined;
  afterAll(async () => {
    up?.process.kill('SIGINT');
    await up?.ended;
    // The kernel may still be ending the sandboxes in them.
    for (const group of groups?.made.toReversed() ?? []) {
      await vi.waitFor(() => rmdirSync(group), { timeout: 30_000 });
    }
  }, 60_000);

  // Before the node is up: both would not fit into the memory.
  it('reports both the bounds and the machine when it is examined', async () => {
    const { stdout } = await runCli(['doctor'], inside);
    expect(stdout).toMatch(/Cores .*0\.5 of \d+ \(limited by/);
    expect(stdout).toMatch(/free of 300 MiB \(limited by a control group; the machine has \d/);
  }, 120_000);

  it('offers jobs half a core and most of the memory, and serving one thread', async () => {
    up = startCli(['up', '--port', '0', '--grpc-port', '0', '--log', 'off', '--json'], inside);
    await up.saw(/^\}$/m);
    const node = JSON.parse(up.output.stdout) as UpResult;
    const client = createClient({ url: node.url });
    await expect
      .poll(async () => (await client.listWorkers()).workers, { timeout: 60_000, interval: 500 })
      .toMatchObject([{ total: { cores: 0.5, memoryBytes: 225 * MIB } }]);
    expect(await client.getNode()).toMatchObject({ cores: 1 });
    // An eighth of the memory would hold no two bodies of the largest size, which always fit.
    const metrics = await (await fetch(`${node.url}/metrics`)).text();
    expect(metrics).toMatch(/^skein_budget_max\{budget="bodies"\} 134217728$/m);
  }, 120_000);
});
