/** A fleet after a fault: waits until it has settled, and reads its answers then. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene, Site } from './scene.ts';
import type { Answer } from './traffic.ts';

/** A fault has passed, and everything has settled, within this. */
const SETTLED_MS = 120_000;

/** @param holds true, or the obstacle. @throws Error that names what did not come. */
export async function until(what: string, holds: () => Promise<boolean | string>): Promise<void> {
  const end = performance.now() + SETTLED_MS;
  for (;;) {
    const found = await holds().catch(String);
    if (found === true) return;
    if (performance.now() > end) {
      throw new Error(`not within ${SETTLED_MS} ms: ${what}; the last time it was ${found}`);
    }
    await sleep(100);
  }
}

export const is = ({ outcome }: Answer, expected: string): true | string =>
  outcome === expected || outcome;

export async function adoptEverywhere({ sites }: Scene): Promise<void> {
  // Members that hold nothing that the older copy lacks resume automatically.
  for (const { client } of sites) {
    await until(
      'the store is judged',
      async () => (await client.getNode({})).store?.state !== 'away',
    );
  }
  await sleep(3000);
  for (const { client } of sites) {
    await until(
      'the store is adopted',
      async () => (await client.adoptStore({})).store?.state === 'current',
    );
  }
  // A rollout that had begun in the copy resumes.
  await sleep(3000);
}

export async function seeEachOther(sites: readonly Site[]): Promise<boolean> {
  const fleets = await Promise.all(sites.map(({ client }) => client.getFleet({})));
  const selves = fleets.map(({ members }) => members.find(({ self }) => self)?.id);
  return fleets.every(({ members }) =>
    selves.every((id) => members.some((member) => member.id === id)),
  );
}

export const statesOf = (sites: readonly Site[], name: string): Promise<string[]> =>
  Promise.all(
    sites.map(async ({ client }) => {
      const { revision, status, targets } = await client.getDeployment({ name });
      // A member that does not hold it reports no more.
      const versions = targets.map(({ version }) => version).join();
      return status === 'elsewhere' ? `${revision}` : `${revision}: ${versions}`;
    }),
  );

/** Whether all members are at one revision, and those that hold the deployment serve the same versions. */
export function agree(states: readonly string[]): boolean | string {
  const revisions = new Set(states.map((state) => state.split(':')[0]));
  const held = new Set(states.filter((state) => state.includes(':')));
  return (revisions.size === 1 && held.size <= 1) || states.join(' | ');
}

export async function lastEntry({ client }: Site): Promise<number> {
  const { entries } = await client.deploymentHistory({ name: 'rolled', limit: 20 });
  return Math.max(0, ...entries.map(({ id }) => id));
}

/** Each rollout has one end, and a planted regression is rolled back. */
export async function judgeRollout(
  { client }: Site,
  after: number,
  isBad: boolean,
  broken: string[],
): Promise<string> {
  const { entries } = await client.deploymentHistory({ name: 'rolled', limit: 100 });
  const news = entries.filter(({ id }) => id > after).toReversed();
  const kinds = news.map(({ kind }) => kind);
  const started = kinds.filter((kind) => kind === 'rollout-started').length;
  const ends = kinds.filter((kind) => /rolled-back|rollout-finished/.test(kind));
  if (started > 1 || ends.length !== started) {
    broken.push(`a rollout has forked: ${JSON.stringify(news)}`);
  }
  if (isBad && ends.includes('rollout-finished')) broken.push('a regression was promoted');
  return ends.join() || 'none';
}
