/** Rounds of protocol A with sites that drop out at a given exchange. */
import type { AggregationContext } from '../context.ts';
import { signerOf } from '../crypto/identity.ts';
import { randomBytes, type Bytes, type Signer } from '../crypto/suite.ts';
import { ServerRound, type Deliveries } from '../pairwise/server.ts';
import { SiteRound } from '../pairwise/site.ts';
import type { PartwiseSum } from '../partwise-sum.ts';
import type { MaskedUpdate, ReadUpdate } from '../upload.ts';
import { EXCHANGES, type Exchange } from '../wire/envelope.ts';

export interface Federation {
  readonly signers: readonly Signer[];
  readonly context: AggregationContext;
}

export async function federation(
  sites: number,
  terms: Partial<AggregationContext> = {},
): Promise<Federation> {
  const signers = await Promise.all(Array.from({ length: sites }, () => signerOf()));
  const roster = signers.map(({ publicKey }) => publicKey);
  const plan = randomBytes(32);
  return {
    signers,
    context: { run: 'hearts', round: 0, plan, roster, length: 70, bits: 20, ...terms },
  };
}

/** Random entries below 2^bits. */
export function randomInput({ length, bits }: AggregationContext): Uint32Array<ArrayBuffer> {
  const entries = new Uint32Array(length);
  for (let at = 0; at < length; at += 2 ** 14) {
    crypto.getRandomValues(entries.subarray(at, at + 2 ** 14));
  }
  return entries.map((entry) => entry >>> (32 - bits));
}

export function plainSum(
  inputs: readonly Uint32Array[],
  survivors: readonly number[],
  bits: number,
): Uint32Array {
  const sum = new Uint32Array(inputs[0]!.length);
  for (const site of survivors) inputs[site]!.forEach((entry, at) => (sum[at]! += entry));
  return bits === 32 ? sum : sum.map((entry) => entry % 2 ** bits);
}

/** Where a server's caller keeps what it accepted. */
export type Stored = Map<number, MaskedUpdate>;

export const readStored =
  (stored: Stored): ReadUpdate =>
  (site, chunk) =>
    stored.get(site)!.chunks[chunk]!;

export const wholeSum = (sum: PartwiseSum): Promise<Uint32Array> => sum.read(0, sum.length);

/** A round at work: its sites, its server, the updates that it accepted, and what it answered last. */
export interface Stage extends Federation {
  readonly stored: Stored;
  readonly server: ServerRound;
  readonly sites: readonly SiteRound[];
  readonly inputs: readonly Uint32Array[];
  answers: Pick<Deliveries, 'get'>;
}

export async function stage(parts: Federation): Promise<Stage> {
  const { signers, context } = parts;
  const rosters = new Map();
  return {
    ...parts,
    stored: new Map(),
    server: await ServerRound.begin(context),
    sites: await Promise.all(
      signers.map((signer) => SiteRound.begin(context, signer, { after: -1, rosters })),
    ),
    inputs: signers.map(() => randomInput(context)),
    answers: new Map(),
  };
}

/** A site's answer to the exchange that is due. */
export function answerOf({ sites, inputs, answers }: Stage, exchange: Exchange, site: number) {
  const round = sites[site]!;
  const received = answers.get(site)!;
  const by: Record<Exchange, () => Promise<Bytes | Awaited<ReturnType<SiteRound['mask']>>>> = {
    keys: () => round.advertise(),
    shares: () => round.share(received),
    input: () => round.mask(inputs[site]!, received),
    consistency: () => round.sign(received),
    unmasking: () => round.unmask(received),
  };
  return by[exchange]();
}

export async function deliver(
  { server, stored }: Stage,
  exchange: Exchange,
  site: number,
  message: Bytes | { head: Bytes; chunks: readonly Bytes[] },
) {
  if (message instanceof Uint8Array) {
    await server.accept(exchange, site, message);
    return;
  }
  await server.accept(exchange, site, message.head);
  await server.acceptUpdate(site, (chunk) => message.chunks[chunk]!);
  stored.set(site, message);
}

/** Ends a round whose last exchange was answered. */
export async function sumOf({ server, stored }: Stage) {
  const { sum, ...others } = await server.sum(readStored(stored));
  return { ...others, sum: await wholeSum(sum), liars: server.liars };
}

/** Runs exchanges until one is due, with the sites that have not dropped out by then. */
export async function runUntil(
  at: Stage,
  end: Exchange | 'sum',
  drops: ReadonlyMap<number, Exchange> = new Map(),
): Promise<void> {
  const isGone = (site: number, exchange: Exchange): boolean => {
    const dropped = drops.get(site);
    return dropped !== undefined && EXCHANGES.indexOf(dropped) <= EXCHANGES.indexOf(exchange);
  };
  for (const exchange of EXCHANGES.slice(EXCHANGES.indexOf(at.server.due as Exchange))) {
    if (exchange === end) return;
    await Promise.all(
      at.sites.map(async ({ site }) => {
        if (isGone(site, exchange)) return;
        await deliver(at, exchange, site, await answerOf(at, exchange, site));
      }),
    );
    if (exchange !== 'unmasking') at.answers = await at.server.close();
  }
}

/** @param drops the exchange that each site no longer answers. */
export async function runRound(
  parts: Federation,
  drops: ReadonlyMap<number, Exchange> = new Map(),
) {
  const at = await stage(parts);
  await runUntil(at, 'sum', drops);
  const result = await sumOf(at);
  return { ...result, expected: plainSum(at.inputs, result.survivors, parts.context.bits) };
}
