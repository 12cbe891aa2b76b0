/** The contract of the change feed, over every backend. */
import { expect, it, vi } from 'vitest';
import type { StateChange } from '../changes/changes.ts';
import type { State } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import { sampleRun } from '../runs/testing/sample-run.ts';
import {
  code,
  deployment,
  memberInfo,
  modelVersion,
  overEveryState,
} from '../testing/every-state.ts';

type Seen = Omit<StateChange, 'cursor'>;

/** The next changes after a position, until there are so many. */
async function read(state: State, after: string, count: number): Promise<StateChange[]> {
  const seen: StateChange[] = [];
  const stop = new AbortController();
  for await (const page of state.changes(after, stop.signal)) {
    seen.push(...page);
    if (seen.length >= count) break;
  }
  stop.abort();
  return seen;
}
const without = (changes: readonly StateChange[]): Seen[] =>
  changes.map((change) => {
    const { cursor: _, ...seen } = change;
    return seen;
  });

const key = { secretHash: 'x', label: '', tenant: 't', createdAt: '2026-01-01T00:00:00.000Z' };

overEveryState('changes', (at) => {
  it('has every write in its order, with the revisions of deployments and removals', async () => {
    const { cursor } = await at.state.position();
    await at.state.addVersion(modelVersion('m', 1));
    const first = await at.state.putDeployment(deployment('d'), 0);
    await at.state.putDeployment(deployment('d'), first.revision);
    await at.state.removeDeployment('d');
    await at.state.removeVersion('m', '1');
    await at.state.addKey({ ...key, id: 'k', scopes: ['infer'] });
    await at.state.revokeKey('k', key.createdAt);
    const { id } = await at.state.addHistory({
      deployment: 'd',
      kind: 'deployed',
      reason: '',
      details: {},
      actor: 'a',
    });
    const declared = { kind: 'a', name: 'b', value: {}, updatedAt: key.createdAt };
    await at.state.putDeclaration(declared);
    await at.state.removeDeclaration('a', 'b');
    await at.state.putRun(sampleRun('r'));
    await at.state.removeRun('r');
    const membership = await at.state.members.join(memberInfo('a'), 1000);
    await membership.renew(memberInfo('a'));
    await membership.leave();
    expect(without(await read(at.state, cursor, 14))).toEqual([
      { kind: 'version', id: 'm:1' },
      { kind: 'deployment', id: 'd', revision: 1 },
      { kind: 'deployment', id: 'd', revision: 2 },
      { kind: 'deployment', id: 'd', revision: 3, removed: true },
      { kind: 'version', id: 'm:1', removed: true },
      { kind: 'key', id: 'k' },
      { kind: 'key', id: 'k' },
      { kind: 'history', id: String(id) },
      { kind: 'declaration', id: 'a:b' },
      { kind: 'declaration', id: 'a:b', removed: true },
      { kind: 'run', id: 'r' },
      { kind: 'run', id: 'r', removed: true },
      { kind: 'member', id: membership.incarnation },
      { kind: 'member', id: membership.incarnation, removed: true },
    ]);
  });

  it('has nothing of a write that was refused or changed nothing', async () => {
    await at.state.addVersion(modelVersion('m', 1));
    const { cursor } = await at.state.position();
    await at.state.addVersion(modelVersion('m', 1));
    await at.state.removeVersion('m', '7');
    await at.state.removeDeployment('d');
    await at.state.revokeKey('k', key.createdAt);
    await at.state.removeRun('r');
    await at.state.removeDeclaration('a', 'b');
    await expect(at.state.putDeployment(deployment('d'), 3)).rejects.toEqual(
      code('ROLLOUT_IN_PROGRESS'),
    );
    expect((await at.state.position()).cursor).toBe(cursor);
  });

  it('leaves a tombstone of a removed deployment, and continues its revision', async () => {
    await at.state.putDeployment(deployment('d'), 0);
    await at.state.putDeployment(deployment('e'), 0);
    await at.state.removeDeployment('d');
    expect(await at.state.tombstones()).toEqual([{ name: 'd', revision: 2 }]);
    await at.state.removeDeployment('d');
    expect(await at.state.tombstones()).toEqual([{ name: 'd', revision: 2 }]);
    expect(await at.state.putDeployment(deployment('d'), 0)).toMatchObject({ revision: 3 });
    expect(await at.state.tombstones()).toEqual([]);
  });

  it('wakes a reader that waits, also for a write of another connection', async () => {
    const { cursor } = await at.state.position();
    const next = read(at.state, cursor, 1);
    await at.state.putDeployment(deployment('d'), 0);
    const [first] = await next;
    expect(first).toMatchObject({ kind: 'deployment', id: 'd' });
    const other = await at.another();
    const after = read(at.state, first!.cursor, 1);
    await other.putDeployment(deployment('e'), 0);
    expect(without(await after)).toEqual([{ kind: 'deployment', id: 'e', revision: 1 }]);
  });

  it('continues at any cursor that it gave, also after the state was opened again', async () => {
    const { epoch, cursor } = await at.state.position();
    for (let count = 0; count < 5; count += 1) {
      await at.state.putDeployment(deployment(`d${count}`), 0);
    }
    const all = await read(at.state, cursor, 5);
    await at.reopen();
    expect((await at.state.position()).epoch).toBe(epoch);
    for (const [index, { cursor: from }] of all.slice(0, 4).entries()) {
      expect(await read(at.state, from, 4 - index)).toEqual(all.slice(index + 1));
    }
    expect((await at.state.position()).cursor).toBe(all.at(-1)!.cursor);
  });

  it('ends when it is aborted, while it waits and before it begins', async () => {
    const { cursor } = await at.state.position();
    const stop = new AbortController();
    const reading = (async () => {
      for await (const page of at.state.changes(cursor, stop.signal)) return page;
      return 'ended';
    })();
    stop.abort();
    expect(await reading).toBe('ended');
    expect(
      await read(
        { ...at.state, changes: (after) => at.state.changes(after, stop.signal) },
        cursor,
        1,
      ),
    ).toEqual([]);
  });

  it('makes a reader that is too far behind take a new snapshot', async () => {
    const { cursor } = await at.state.position();
    const membership = await at.state.members.join(memberInfo('a'), 1000);
    const entry = { deployment: 'd', reason: '', details: {}, actor: '' };
    await Promise.all(
      Array.from({ length: RETENTION.changes + 200 }, () =>
        at.state.addHistory({ ...entry, kind: 'scaled' }),
      ),
    );
    await expect(read(at.state, cursor, 1)).rejects.toEqual(code('CHANGES_TRIMMED'));
    const now = await at.state.position();
    await membership.leave();
    expect(without(await read(at.state, now.cursor, 1))).toMatchObject([{ removed: true }]);
  });

  it('refuses a reader whose position belongs to other contents, or to newer ones', async () => {
    const { epoch, cursor } = await at.state.position();
    await at.state.putDeployment(deployment('d'), 0);
    const [change] = await read(at.state, cursor, 1);
    const elsewhere = change!.cursor.replace(epoch, 'f'.repeat(epoch.length));
    await expect(read(at.state, elsewhere, 1)).rejects.toEqual(code('STORE_REPLACED'));
    const ahead = change!.cursor.replace(/:\d+/, ':99');
    await expect(read(at.state, ahead, 1)).rejects.toEqual(code('STORE_REPLACED'));
  });

  it('ends for a reader that waits when the state is closed', async () => {
    const { cursor } = await at.state.position();
    // No timer makes the reader read again.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const feed = at.state.changes(cursor, new AbortController().signal)[Symbol.asyncIterator]();
    const waiting = expect(feed.next()).rejects.toEqual(code('NODE_DRAINING'));
    vi.useRealTimers();
    await at.state.position();
    await at.state.close();
    await waiting;
  });
});
