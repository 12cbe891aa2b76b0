import { openState, type State } from '@skein/state';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAccess } from '../access.ts';
import { leaseLimits, type LimitShares } from './limit-shares.ts';

const NODES = 8;

interface Node {
  readonly access: Awaited<ReturnType<typeof createAccess>>;
  readonly limits: LimitShares;
}

/** The clock of the store and of every node, in milliseconds. */
let now: number;
let state: State;
let nodes: Node[];
let isAway: boolean;

beforeEach(async () => {
  now = 0;
  isAway = false;
  state = await openState(':memory:', { clock: () => now });
});
afterEach(async () => {
  for (const { limits } of nodes) limits.close();
  await state.close();
});

/** Nodes of one fleet, over which a key has its limits. @returns the key. */
async function openNodes(limit: { ratePerSecond?: number; maxConcurrent?: number }) {
  const clock = { now: () => now };
  const maker = await createAccess({ state, mode: 'keys', clock });
  const { secret } = await maker.keys.create({
    label: 'l',
    tenant: 't',
    scopes: ['infer'],
    ...limit,
  });
  nodes = await Promise.all(
    Array.from({ length: NODES }, async (_, index) => {
      const access = await createAccess({ state, mode: 'keys', clock });
      const { keys, inFlight } = access;
      const shares: State['shares'] = {
        renew: async (request) => {
          if (isAway) throw new Error('away');
          return state.shares.renew(request);
        },
      };
      const member = `node ${index}`;
      const limits = leaseLimits({ shares, member, nodes: () => NODES, keys, inFlight, clock });
      return { access, limits };
    }),
  );
  return `Bearer ${secret}`;
}

/** Every node renews its shares four times a second, in turn. */
async function passing(ms: number, each: () => void): Promise<void> {
  for (const until = now + ms; now < until; now += 5) {
    if (now % 250 === 0) for (const { limits } of nodes) await limits.renew();
    each();
  }
}

function admits({ access }: Node, key: string): boolean {
  try {
    access.authorize(key, 'infer');
    return true;
  } catch {
    return false;
  }
}

function enters({ access }: Node, key: string): boolean {
  try {
    access.enter(access.authorize(key, 'infer'));
    return true;
  } catch {
    return false;
  }
}

describe('a limit over a fleet', () => {
  it('holds when every node is asked for more than all of it', async () => {
    const rate = 100;
    const key = await openNodes({ ratePerSecond: rate });
    let admitted = 0;
    await passing(10_000, () => {
      for (const node of nodes) if (admits(node, key)) admitted += 1;
    });
    // One node would admit the bucket, and ten seconds.
    const limit = rate + 10 * rate;
    expect(admitted).toBeLessThanOrEqual(1.02 * limit);
    expect(admitted).toBeGreaterThan(0.85 * limit);
  });

  it('is for the nodes that have the calls', async () => {
    const rate = 100;
    const key = await openNodes({ ratePerSecond: rate });
    await passing(2000, () => void admits(nodes[0]!, key));
    let admitted = 0;
    await passing(5000, () => {
      if (admits(nodes[0]!, key)) admitted += 1;
    });
    expect(admitted).toBeGreaterThan(0.9 * 5 * rate);
    // The calls move to another node.
    await passing(2000, () => void admits(nodes[5]!, key));
    admitted = 0;
    await passing(5000, () => {
      if (admits(nodes[5]!, key)) admitted += 1;
    });
    expect(admitted).toBeGreaterThan(0.8 * 5 * rate);
    expect(admitted).toBeLessThanOrEqual(5 * rate + rate);
  });

  it('admits on another node what went to a node that dies', async () => {
    const key = await openNodes({ ratePerSecond: 100 });
    let refused = 0;
    // A tenth of the limit.
    const askOne = () => {
      if (Math.round(now) % 100 === 0 && !admits(nodes[0]!, key)) refused += 1;
    };
    await passing(3000, askOne);
    nodes.shift()!.limits.close();
    await passing(10_000, askOne);
    expect(refused).toBe(0);
  });

  it('continues with the last shares while the store is away', async () => {
    const rate = 100;
    const key = await openNodes({ ratePerSecond: rate });
    const ask = () => {
      for (const node of nodes) if (admits(node, key)) admitted += 1;
    };
    let admitted = 0;
    await passing(3000, ask);
    isAway = true;
    admitted = 0;
    await passing(20_000, ask);
    expect(admitted).toBeLessThanOrEqual(1.05 * 20 * rate);
    expect(admitted).toBeGreaterThan(0.9 * 20 * rate);
  });

  it('bounds the requests in flight over all nodes', async () => {
    const key = await openNodes({ maxConcurrent: 16 });
    await passing(2000, () => nodes.forEach(leaveOne));
    function leaveOne(node: Node): void {
      if (enters(node, key)) node.access.leave(node.access.authorize(key, 'infer'));
    }
    // Now they stay.
    await passing(3000, () => nodes.forEach((node) => enters(node, key)));
    const inFlight = nodes.reduce((sum, { access }) => sum + access.inFlight('t'), 0);
    expect(inFlight).toBeLessThanOrEqual(16);
    expect(inFlight).toBeGreaterThan(12);
  });

  it('gives a new key its equal part before its first call', async () => {
    await openNodes({ ratePerSecond: 1 });
    const [{ access, limits }] = nodes as [Node];
    const other = await createAccess({ state, mode: 'keys', clock: { now: () => now } });
    const { secret } = await other.keys.create({
      label: 'l',
      tenant: 't',
      scopes: ['infer'],
      ratePerSecond: 80,
    });
    access.keys.follow(await state.keys());
    limits.divide();
    let admitted = 0;
    while (admits(nodes[0]!, `Bearer ${secret}`)) admitted += 1;
    expect(admitted).toBe(80 / NODES);
  });
});
