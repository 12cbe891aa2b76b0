/**
 * Sites that are there for one message, over WebSockets of a node: each joins by the same link, is asked
 * once, and vanishes. A tenth of them vanish without an answer. SKEIN_FULL=1 takes a thousand in a round.
 */
import { invitationOf, ledgerText, verifyLedger, type LedgerExport } from '@skein/federation';
import { committeeWork, runSite, type SiteEnd } from '@skein/federation/site';
import { openSocket, openSqliteMemory } from '@skein/federation/site/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FederationNode, startFederationNode } from './testing/federation-node.ts';

const isFull = process.env['SKEIN_FULL'] === '1';
const SITES = isFull ? 1000 : 40;
const ROUNDS = isFull ? 2 : 1;
/** Sites that connect at a time. */
const AT_ONCE = 32;

let node: FederationNode;
const leaving = new AbortController();
beforeAll(async () => {
  node = await startFederationNode();
}, 60_000);
afterAll(async () => {
  leaving.abort();
  await node?.close();
});

/** Joins, and sends one message; or vanishes when it is asked. */
async function site(
  invitation: string,
  { vanishes, connected }: { readonly vanishes: boolean; readonly connected: () => void },
): Promise<SiteEnd> {
  const memory = openSqliteMemory(':memory:');
  const keys = await memory.identity();
  const gone = new AbortController();
  const update = async (_: number, { length }: Float32Array) => {
    if (vanishes) gone.abort();
    return { numbers: new Float64Array(length).fill(0.1), weight: 1 };
  };
  const parsed = invitationOf(invitation);
  try {
    return await runSite({
      invitation: parsed,
      open: () => openSocket(node.url),
      memory,
      once: true,
      consent: async () => {},
      prepare: (joined) =>
        committeeWork({ ...joined, run: parsed.run, keys, training: { update } }),
      onEvent: ({ type }) => type === 'connected' && connected(),
      signal: AbortSignal.any([leaving.signal, gone.signal]),
    });
  } finally {
    await memory.close();
  }
}

/** A round of sites that no other round has. */
async function cohort(invitation: string): Promise<SiteEnd[]> {
  const ends: Promise<SiteEnd>[] = [];
  for (let from = 0; from < SITES; from += AT_ONCE) {
    const arrivals = Array.from({ length: Math.min(AT_ONCE, SITES - from) }, (_, i) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.push(site(invitation, { vanishes: (from + i) % 10 === 0, connected: resolve }));
      return promise;
    });
    await Promise.all(arrivals);
  }
  return Promise.all(ends);
}

it(
  `sums ${SITES} sites a round, where each sends one message, and spends what the plan allows`,
  async () => {
    const helpers = await Promise.all(['Basel', 'Delft', 'Lyon'].map((name) => node.helper(name)));
    const { id, plan } = await node.begin({
      strategy: { name: 'fedavg' },
      rounds: ROUNDS,
      privacy: { mode: 'client', clip: 1, epsilon: 3, delta: 1e-5 },
      aggregation: { kind: 'committee', helpers: helpers.map(({ planned }) => planned) },
      sites: { minimum: SITES, maximum: SITES },
      deadlines: { phaseMs: isFull ? 30_000 : 12_000, trainMs: 600_000 },
    });
    const helping = helpers.map((helper) => helper.help(id));
    const uses = ROUNDS * SITES;
    const { invitation } = await node.client.inviteSite({ id, name: 'page', uses });
    for (let round = 0; round < ROUNDS; round++) {
      const ends = await cohort(invitation);
      expect(ends.every(({ status }) => status === 'left')).toBe(true);
      await node.until(id, (view) => view.round > round);
    }
    expect((await Promise.all(helping)).map(({ status }) => status)).toEqual([
      'finished',
      'finished',
      'finished',
    ]);
    const done = await node.until(id, ({ version }) => version !== undefined);
    expect(done.status).toBe('finished');

    const ledger = (await node.client.getLedger({ id })) as unknown as LedgerExport;
    const rounds = ledger.entries.flatMap(({ event }) =>
      event.kind === 'finished-round' ? [event] : [],
    );
    expect(rounds.map(({ survivors }) => survivors.length)).toEqual(
      Array.from({ length: ROUNDS }, () => SITES - SITES / 10),
    );
    // The cohorts have no site in common.
    expect(new Set(rounds.flatMap(({ survivors }) => survivors)).size).toBe(
      ROUNDS * (SITES - SITES / 10),
    );
    expect(await verifyLedger(ledgerText(ledger))).toMatchObject({
      rounds: ROUNDS,
      releases: ROUNDS,
      aborted: 0,
    });
    const [alone, betrayed] = done.spent;
    expect(betrayed).toMatchObject({ colluding: 2 });
    expect(betrayed!.epsilon).toBeLessThanOrEqual(plan.privacy.epsilon!);
    expect(betrayed!.epsilon).toBeGreaterThan(0.9 * plan.privacy.epsilon!);
    expect(alone!.epsilon).toBeLessThan(betrayed!.epsilon!);
    // The version states the budget that holds also where the others of the committee collude.
    const { versions } = await node.client.listVersions({ name: plan.name });
    const { metadata } = versions.find(({ version }) => version === done.version)!;
    expect(Number(metadata['epsilon'])).toBeGreaterThanOrEqual(betrayed!.epsilon!);
  },
  isFull ? 600_000 : 120_000,
);
