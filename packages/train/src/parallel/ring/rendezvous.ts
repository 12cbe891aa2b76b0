/**
 * How ranks find each other. Rank 0 listens at an address that all ranks know. The other ranks call
 * it, send the address at which they listen, and receive their place in the ring. Then each rank
 * calls the next.
 *
 * The variables have the names of torch.distributed and of Skein's gangs of jobs: MASTER_ADDR, MASTER_PORT,
 * RANK, WORLD_SIZE.
 */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { alone, RankLost, type Collective } from '../collective.ts';
import { PlanDiffers, type Credentials } from './handshake.ts';
import { answerRank, callRank, type Link } from './link.ts';
import { ringCollective } from './ring-collective.ts';

export interface RingOptions extends Credentials {
  /** Address at which rank 0 listens. */
  readonly host: string;
  readonly port: number;
  /** Number that this process was started with. */
  readonly rank: number;
  /** Ranks that are expected. */
  readonly size: number;
  /** Milliseconds to wait for ranks to arrive; default 60 000. */
  readonly arrivalMs?: number | undefined;
  /** Smallest number of ranks to start with when some have not arrived in time; default: all. */
  readonly least?: number;
  /** Milliseconds after which a silent rank counts as lost; default 5 minutes, so that the leader can evaluate. */
  readonly timeoutMs?: number;
}

interface Place {
  readonly rank: number;
  readonly size: number;
  /** Whether a rank is on another machine than the leader; the value is the same on all ranks. */
  readonly apart: boolean;
  readonly next: Address;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const ARRIVAL_MS = 60_000;
/** Milliseconds in which a leader may evaluate. */
export const PATIENCE_MS = 300_000;
/** Milliseconds between two calls to a rank that does not answer yet. */
const AGAIN_MS = 100;
/** Tag of the frames that are sent before the ring is closed. */
const RENDEZVOUS = 0xffffffff;

/**
 * Connects to the other ranks. When fewer arrive than expected, but at least `least`, they are
 * renumbered without gaps.
 * @throws RankLost naming the rank that has not arrived.
 */
export async function joinRing(ring: RingOptions): Promise<Collective> {
  const { rank, size, timeoutMs = PATIENCE_MS } = ring;
  if (size === 1) return alone();
  const until = performance.now() + (ring.arrivalMs ?? ARRIVAL_MS);
  const { callers, place } = rank === 0 ? await assignPlaces(ring, until) : await ask(ring, until);
  try {
    if (place.size === 1) return alone();
    const after = until + AFTER_MS;
    const following = (place.rank + 1) % place.size;
    const [next, previous] = await Promise.all([
      reach(place.next, { purpose: 'ring', rank: place.rank }, following, ring, after),
      callers.take('ring', (place.rank + place.size - 1) % place.size, after),
    ]);
    return ringCollective({ ...place, links: { next, previous }, timeoutMs });
  } finally {
    callers.close();
  }
}

interface Assignment {
  readonly callers: Callers;
  readonly place: Place;
}

/** Milliseconds for the ring to close after every rank has a place. */
const AFTER_MS = 15_000;

/** Rank 0: waits for all ranks and gives each a place. */
async function assignPlaces(ring: RingOptions, until: number): Promise<Assignment> {
  const { size, least = size } = ring;
  const callers = await listen(ring, ring);
  const arrived = new Map<number, { link: Link; port: number }>();
  while (arrived.size < size - 1) {
    const link = await callers.next('place', until);
    if (link === undefined) break;
    const port = await portOf(link);
    // A process that was started again takes the place of the one before it.
    if (port !== undefined && link.peer > 0 && link.peer < size) {
      arrived.get(link.peer)?.link.close();
      arrived.set(link.peer, { link, port });
    }
  }
  if (arrived.size + 1 < least) {
    const missing = Array.from({ length: size - 1 }, (_, i) => i + 1).filter(
      (each) => !arrived.has(each),
    );
    for (const { link } of arrived.values()) link.close(missing[0]);
    callers.close();
    throw new RankLost(
      missing[0]!,
      `has not arrived${furtherMissing(missing)}${callers.refusal()}.`,
    );
  }
  const placed = [...arrived].sort(([a], [b]) => a - b).map(([, each]) => each);
  const apart = placed.some(({ link }) => !isLoopback(link.host));
  const addresses = placed.map(({ link, port }) => ({ host: link.host, port }));
  placed.forEach(({ link }, i) => {
    const place: Place = {
      rank: i + 1,
      size: placed.length + 1,
      apart,
      next: addresses[i + 1] ?? { host: '', port: ring.port },
    };
    link.send(RENDEZVOUS, new TextEncoder().encode(JSON.stringify(place)));
    link.close();
  });
  const next = addresses[0] ?? { host: '', port: 0 };
  return { callers, place: { rank: 0, size: placed.length + 1, apart, next } };
}

const isLoopback = (address: string): boolean => /^(::ffff:)?127\.|^::1$/u.test(address);

function furtherMissing(missing: readonly number[]): string {
  return missing.length === 1 ? '' : `, nor have ranks ${missing.slice(1).join(', ')}`;
}

/** The other ranks: ask rank 0 for a place, and listen at the address from which they reach it. */
async function ask(ring: RingOptions, until: number): Promise<Assignment> {
  const link = await reach(ring, { purpose: 'place', rank: ring.rank }, 0, ring, until);
  const callers = await listen(ring, { host: link.localHost, port: 0 });
  try {
    link.send(RENDEZVOUS, new Uint8Array(Uint32Array.of(callers.port).buffer));
    const data = await link.receive(RENDEZVOUS, Math.max(1, until - performance.now() + AFTER_MS));
    const place = readJson(data, JSON_BOUNDS.frame) as Place;
    // Only this rank can find by which address it reaches the leader.
    return { callers, place: { ...place, next: place.next.host === '' ? ring : place.next } };
  } catch (error) {
    callers.close();
    throw error;
  } finally {
    link.close();
  }
}

/** Milliseconds for a caller to send its port. */
const PROMPT_MS = 10_000;

async function portOf(link: Link): Promise<number | undefined> {
  const data = await link.receive(RENDEZVOUS, PROMPT_MS).catch(() => new Uint8Array(0));
  const port = data.byteLength === 4 ? new DataView(data.buffer).getUint32(0, true) : 0;
  return port > 0 && port < 65_536 ? port : undefined;
}

/** Calls until the rank answers. */
async function reach(
  { host, port }: Address,
  hello: Parameters<typeof callRank>[1],
  peer: number,
  credentials: Credentials,
  until: number,
): Promise<Link> {
  for (;;) {
    try {
      return await callRank({ host, port }, hello, peer, credentials);
    } catch (error) {
      if (performance.now() >= until) {
        const reason = (error as Error).message;
        throw new RankLost(peer, `cannot be reached at ${host}:${port}: ${reason}.`);
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

interface Callers {
  readonly port: number;
  /** The next caller for this purpose; `undefined` when none calls in time. */
  next(purpose: Link['purpose'], until: number): Promise<Link | undefined>;
  /** The link of one rank. @throws RankLost when it does not call in time. */
  take(purpose: Link['purpose'], rank: number, until: number): Promise<Link>;
  /** Why the last caller was refused; empty when none was. */
  refusal(): string;
  close(): void;
}

async function listen(credentials: Credentials, { host, port }: Address): Promise<Callers> {
  const waiting: Link[] = [];
  let refusal = '';
  let wake = () => {};
  const server: Server = createServer((socket) => {
    answerRank(socket, credentials).then(
      (link) => {
        waiting.push(link);
        wake();
      },
      (error: unknown) => {
        if (error instanceof PlanDiffers) refusal = `: ${error.message}`;
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  const wanted = async (matches: (link: Link) => boolean, until: number) => {
    for (;;) {
      const position = waiting.findIndex(matches);
      if (position >= 0) return waiting.splice(position, 1)[0]!;
      const left = until - performance.now();
      if (left <= 0) return undefined;
      const timer = setTimeout(() => wake(), left);
      await new Promise<void>((resolve) => (wake = resolve));
      clearTimeout(timer);
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    next: (purpose, until) => wanted((link) => link.purpose === purpose, until),
    async take(purpose, rank, until) {
      const link = await wanted((each) => each.purpose === purpose && each.peer === rank, until);
      if (link === undefined) throw new RankLost(rank, `has not arrived${refusal}.`);
      return link;
    },
    refusal: () => refusal,
    close() {
      server.close();
      for (const link of waiting) link.close();
    },
  };
}
