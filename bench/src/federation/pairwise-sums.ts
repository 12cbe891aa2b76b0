/** Protocol A: what the server and a site compute in one round, all messages of it. */
import {
  joined,
  ServerRound,
  SiteRound,
  type AggregationContext,
  type Bytes,
  type Signer,
} from '@skein/train/secure-aggregation';
import type { RowGroup, RowOptions } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { addTo, assertSum, input, participants } from './participants.ts';

const LENGTH = 100_000;

interface Round {
  /** Seconds of the server, all of its calls. */
  readonly serverS: number;
  /** Seconds of the processor: on a busy machine, the time that the server would take alone. */
  readonly serverCpuS: number;
  /** Milliseconds of each site, all of its calls. */
  readonly siteMs: readonly number[];
  /** Sent by site 0: its chunks, and all other messages. */
  readonly sent: { readonly chunks: number; readonly others: number };
}

interface Shape {
  readonly signers: readonly Signer[];
  readonly context: AggregationContext;
  /** Sites whose update never arrives. */
  readonly dropped: number;
  /** Sites that are timed: these check the roster for themselves. */
  readonly timed: number;
}

/** A round in this process, where the clock of each party runs in its own calls only. */
async function playRound({ signers, context, dropped, timed }: Shape): Promise<Round> {
  const clock = { server: 0, serverCpu: 0, sites: signers.map(() => 0), chunks: 0, others: 0 };
  const atServer = async <T>(call: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const cpu = process.cpuUsage();
    const result = await call();
    clock.server += performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    clock.serverCpu += (user + system) / 1000;
    return result;
  };
  const atSite = async <T>(site: number, call: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const result = await call();
    clock.sites[site]! += performance.now() - begun;
    return result;
  };
  const rosters = new Map();
  const server = await ServerRound.begin(context);
  const sites: SiteRound[] = [];
  for (const [site, signer] of signers.entries()) {
    const options = site < timed ? { after: -1 } : { after: -1, rosters };
    sites.push(await atSite(site, () => SiteRound.begin(context, signer, options)));
  }
  const plain = new Uint32Array(context.length);
  const stored = new Map<number, readonly Bytes[]>();
  const stays = sites.filter(({ site }) => site < signers.length - dropped);
  const send = async (
    exchange: 'keys' | 'shares' | 'consistency' | 'unmasking',
    site: number,
    message: Uint8Array,
  ) => {
    if (site === 0) clock.others += message.length;
    await atServer(() => server.accept(exchange, site, message));
  };

  for (const each of sites)
    await send('keys', each.site, await atSite(each.site, () => each.advertise()));
  const keys = await atServer(() => server.close());
  for (const { site } of sites) {
    const message = await atSite(site, () => sites[site]!.share(keys.get(site)!));
    await send('shares', site, message);
  }
  const deliveries = await atServer(() => server.close());
  for (const { site } of stays) {
    const update = input(context.length);
    addTo(plain, update);
    const delivery = await atServer(async () => deliveries.get(site)!);
    const { head, chunks } = await atSite(site, () => sites[site]!.mask(update, delivery));
    if (site === 0) clock.others += head.length;
    await atServer(() => server.accept('input', site, head));
    if (site === 0) clock.chunks += joined(chunks).length;
    await atServer(() => server.acceptUpdate(site, (chunk) => chunks[chunk]!));
    stored.set(site, chunks);
  }
  const lists = await atServer(() => server.close());
  for (const { site } of stays) {
    await send('consistency', site, await atSite(site, () => sites[site]!.sign(lists.get(site)!)));
  }
  const confirmations = await atServer(() => server.close());
  for (const { site } of stays) {
    const message = await atSite(site, () => sites[site]!.unmask(confirmations.get(site)!));
    await send('unmasking', site, message);
  }
  const sum = await atServer(async () => {
    const made = await server.sum((site, chunk) => stored.get(site)![chunk]!);
    return made.sum.read(0, context.length);
  });
  assertSum(sum, plain);
  return {
    serverS: clock.server / 1000,
    serverCpuS: clock.serverCpu / 1000,
    siteMs: clock.sites.slice(0, timed),
    sent: { chunks: clock.chunks, others: clock.others },
  };
}

export const PAIRWISE_SUMS: RowGroup = {
  measures: [
    {
      key: 'secagg_server_s',
      what: 'protocol A, server, 100 × 100,000, 10 % dropout',
      unit: ' s',
      target: { atMost: 1 },
    },
    {
      key: 'secagg_server_30_s',
      what: 'protocol A, server, 100 × 100,000, 30 % dropout',
      unit: ' s',
      target: { atMost: 1.5 },
    },
    {
      key: 'secagg_server_1k_s',
      what: 'protocol A, server, 1,000 × 100,000, a 20th corrupt: 80 neighbours, 10 % dropout',
      unit: ' s',
      target: { atMost: 5 },
    },
    {
      key: 'secagg_client_ms',
      what: 'protocol A, site, 100 × 100,000, complete graph: p50',
      unit: ' ms',
      target: { atMost: 100 },
    },
    {
      key: 'secagg_expansion',
      what: 'protocol A, upload over float32, 16 bits, 100 sites, 100,000 parameters',
      unit: '×',
      target: { atMost: 0.85 },
    },
  ],
  async measure({ quick, progress }: RowOptions) {
    progress('protocol A, 100 sites');
    const { signers, context: terms } = await participants(100, LENGTH);
    const hundred = { signers, context: { ...terms, complete: true } };
    const timed = quick ? 9 : 25;
    const tenth = await playRound({ ...hundred, dropped: 10, timed });
    const third = await playRound({ ...hundred, dropped: 30, timed: 0 });
    const { chunks, others } = tenth.sent;
    const results: Record<string, number> = {
      secagg_server_s: tenth.serverS,
      secagg_server_30_s: third.serverS,
      secagg_client_ms: median(tenth.siteMs),
      secagg_expansion: (chunks + others) / (4 * LENGTH),
    };
    if (!quick) {
      progress('protocol A, 1,000 sites');
      const thousand = await participants(1000, LENGTH);
      const context = { ...thousand.context, corrupt: 1 / 20 };
      const round = await playRound({ ...thousand, context, dropped: 100, timed: 0 });
      results['secagg_server_1k_s'] = round.serverS;
    }
    return {
      results,
      details: {
        pairwise: {
          siteMs: tenth.siteMs,
          serverCpuS: [tenth.serverCpuS, third.serverCpuS],
          // The constant part, which does not grow with the model: a tenth at 1,000,000 parameters.
          sent: tenth.sent,
        },
      },
    };
  },
};
