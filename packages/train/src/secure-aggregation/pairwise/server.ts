/**
 * The server's side of one round of protocol A. It is not trusted: what it could do wrong, the sites
 * refuse. It checks the sites, so that a faulty one is named.
 *
 *     accept(site, message)…  close() → what to send to each site     five times, then sum()
 *
 * The round is a function of the calls in their order: a coordinator that stores accepted messages,
 * updates and closings makes it again after a crash by repeating them. Updates are stored by the caller,
 * and read again for the sum.
 */
import { SkeinError } from '@skein/api/errors';
import { checkContext, contextDigest, type AggregationContext } from '../context.ts';
import { counterOf, type Bytes } from '../crypto/suite.ts';
import { leastSites } from '../graph.ts';
import { madeInParts, type PartwiseSum } from '../partwise-sum.ts';
import { type ReadChunk, readChunkDigests, type ReadUpdate, Uploads } from '../upload.ts';
import { reduce } from '../packing.ts';
import { Reader, sameBytes } from '../wire/bytes.ts';
import { EXCHANGES, openEnvelope, type Exchange } from '../wire/envelope.ts';
import { graphOf, type Graph } from './graph.ts';
import {
  readKeys,
  readReveals,
  readShares,
  writeConfirmation,
  writeDelivery,
  writeRoster,
  writeSites,
  type Keys,
  type RevealedShares,
} from './messages.ts';
import { maskBinding } from './secrets.ts';
import { maskKeys, type Liar } from './unmasking.ts';
import { suite } from '../crypto/platform-suite.ts';

export interface SecureSum {
  /** Modulo 2^bits. */
  readonly sum: PartwiseSum;
  /** The sites whose updates are in it, ascending. */
  readonly survivors: readonly number[];
}

/** Messages to each site that is still in the round; shares are joined when they are asked for. */
export interface Deliveries {
  /** Ascending. */
  readonly sites: readonly number[];
  /** The same bytes each time, also when the round has gone on. */
  get(site: number): Bytes | undefined;
}

export class ServerRound {
  readonly #context: AggregationContext;
  readonly #digest: Bytes;
  readonly #uploads: Uploads;
  /** Accepted messages by exchange and site. */
  readonly #messages = new Map<Exchange, Map<number, Bytes>>();
  readonly #keys = new Map<number, Keys>();
  #shares = new Map<number, ReturnType<typeof readShares>>();
  readonly #reveals = new Map<number, RevealedShares>();
  readonly #liars: Liar[] = [];
  #due: Exchange | 'ended' = 'keys';
  #graph: Graph | undefined;
  /** The sites that answered the last closed exchange. */
  #sites: ReadonlySet<number>;
  #sharing: readonly number[] = [];
  #survivors: readonly number[] = [];

  private constructor(context: AggregationContext, digest: Bytes) {
    this.#context = context;
    this.#digest = digest;
    this.#uploads = new Uploads(context);
    this.#sites = new Set(context.roster.keys());
  }

  /** @throws SkeinError AGGREGATION_INVALID, AGGREGATION_ROSTER_FORGED. */
  static async begin(context: AggregationContext): Promise<ServerRound> {
    checkContext(context);
    return new ServerRound(context, await contextDigest(context));
  }

  /** The exchange whose messages are accepted. */
  get due(): Exchange | 'ended' {
    return this.#due;
  }

  /** Sites that answered the exchange that is due, and, in exchange 2, whose update was accepted. */
  get answered(): number[] {
    const sites = [...(this.#messages.get(this.#due as Exchange)?.keys() ?? [])];
    return this.#due === 'input' ? sites.filter((site) => this.#uploads.has(site)) : sites;
  }

  /**
   * Accepts the message of a site for the exchange that is due. The same bytes again change nothing.
   *
   * @throws SkeinError AGGREGATION_CONTEXT_OTHER, AGGREGATION_SIGNATURE_INVALID,
   *   AGGREGATION_ANSWERED_TWICE, AGGREGATION_PHASE_ANSWERED, AGGREGATION_INVALID,
   *   AGGREGATION_SURVIVORS_SPLIT for a signature of another list.
   */
  async accept(exchange: Exchange, site: number, message: Uint8Array): Promise<void> {
    this.#requireDue(exchange, site);
    if (!this.#messages.has(exchange)) this.#messages.set(exchange, new Map());
    const accepted = this.#messages.get(exchange)!;
    // A copy: the caller may use its buffer again.
    const bytes = new Uint8Array(message);
    const { sender, body } = await openEnvelope(
      bytes,
      { digest: this.#digest, phase: exchange },
      this.#context.roster,
    );
    // Again: the exchange may have been closed meanwhile.
    this.#requireDue(exchange, site);
    if (sender !== site) {
      throw new SkeinError(
        'AGGREGATION_SIGNATURE_INVALID',
        `Site ${site} sends a message of site ${sender}.`,
      );
    }
    const first = accepted.get(site);
    if (first !== undefined) {
      if (sameBytes(first, bytes)) return;
      throw new SkeinError(
        'AGGREGATION_ANSWERED_TWICE',
        `Site ${site} sent a second, different message (${exchange}) in round ${this.#context.round}.`,
      );
    }
    // Before anything is awaited: a second message at the same time must not be read.
    accepted.set(site, bytes);
    try {
      await this.#read[exchange](site, body);
    } catch (error) {
      accepted.delete(site);
      throw error;
    }
  }

  /**
   * Accepts the update whose head was accepted: all of its chunks, or nothing.
   * @param read of a chunk; called once for each.
   * @throws SkeinError AGGREGATION_CHUNK_INVALID, AGGREGATION_PHASE_ANSWERED.
   */
  async acceptUpdate(site: number, read: ReadChunk): Promise<void> {
    this.#requireDue('input', site);
    await this.#uploads.accept(site, read);
  }

  /**
   * Sites that revealed a share that is not the committed one, or dealt shares of another secret than they announced;
   * complete once `sum` has returned or thrown.
   */
  get liars(): readonly Liar[] {
    return this.#liars;
  }

  /** Chunks of an update. */
  get chunks(): number {
    return this.#uploads.chunks;
  }

  /**
   * Ends the exchange that is due: sites that have not answered have dropped out.
   *
   * @returns what each site that is still in the round is sent.
   * @throws SkeinError AGGREGATION_TOO_FEW; the round is then over.
   */
  async close(): Promise<Deliveries> {
    const exchange = this.#due;
    if (exchange === 'ended' || exchange === 'unmasking') {
      throw new SkeinError('AGGREGATION_PHASE_ANSWERED', 'Every exchange of the round is closed.');
    }
    this.#due = 'ended';
    const accepted = this.#messages.get(exchange) ?? new Map<number, Bytes>();
    const sites =
      exchange === 'input' ? this.#uploads.close() : [...accepted.keys()].toSorted((a, b) => a - b);
    this.#require(sites.length, exchange);
    const messageTo = await this.#answers[exchange](sites, accepted);
    const present = new Set(sites);
    this.#sites = present;
    this.#due = EXCHANGES[EXCHANGES.indexOf(exchange) + 1]!;
    return { sites, get: (site) => (present.has(site) ? messageTo(site) : undefined) };
  }

  /**
   * Unmasks the sum, once. After this, the round is over.
   *
   * @param read of accepted updates, once or more for each chunk.
   * @throws SkeinError AGGREGATION_TOO_FEW where too few shares were revealed, AGGREGATION_SHARE_BAD
   *   naming a site that dealt shares of no one secret.
   */
  async sum(read: ReadUpdate): Promise<SecureSum> {
    if (this.#due !== 'unmasking') {
      throw new SkeinError(
        'AGGREGATION_PHASE_ANSWERED',
        `"${this.#due}" is due, so there is no sum yet.`,
      );
    }
    this.#require(this.#reveals.size, 'unmasking');
    this.#due = 'ended';
    const { length, bits } = this.#context;
    // All secrets first: of a round that cannot be unmasked nothing is summed.
    const { add, subtract } = await maskKeys({
      digest: this.#digest,
      binding: await maskBinding(this.#digest, this.#context),
      graph: this.#graph!,
      keys: this.#keys,
      shares: this.#shares,
      sharing: this.#sharing,
      survivors: this.#survivors,
      reveals: this.#reveals,
      liars: this.#liars,
    });
    // The keys of masks are all that the sum needs of what sites have sent. Deliveries keep the shares that they are made of.
    this.#messages.clear();
    this.#reveals.clear();
    this.#shares = new Map();
    const sum = madeInParts(length, async (part, from) => {
      await this.#uploads.addTo(part, from, read);
      const counter = counterOf(from);
      await suite.addKeystreams(part, add, 1, counter);
      await suite.addKeystreams(part, subtract, -1, counter);
      reduce(part, bits);
    });
    return { sum, survivors: this.#survivors };
  }

  /** Reads and keeps the body of a message. */
  readonly #read: Record<Exchange, (site: number, body: Bytes) => void | Promise<void>> = {
    keys: (site, body) => void this.#keys.set(site, readKeys(body)),
    shares: (site, body) => {
      const shares = readShares(body);
      const { entries } = shares;
      const neighbours = this.#graph!.neighbours(site);
      if (
        entries.length !== neighbours.length ||
        neighbours.some((neighbour, at) => neighbour !== entries.peer(at))
      ) {
        throw new SkeinError(
          'AGGREGATION_INVALID',
          `Site ${site} dealt shares to other sites than its ${neighbours.length} neighbours, in their order.`,
        );
      }
      this.#shares.set(site, shares);
    },
    input: (site, body) => {
      const reader = new Reader(body, 'the head of an update');
      const digests = readChunkDigests(reader, this.#context);
      reader.end();
      this.#uploads.begin(site, digests);
    },
    consistency: async (site, body) => {
      const expected = await suite.sha256(writeSites(this.#survivors, this.#context.roster.length));
      if (sameBytes(body, expected)) return;
      throw new SkeinError(
        'AGGREGATION_SURVIVORS_SPLIT',
        `Site ${site} signed another list of survivors.`,
      );
    },
    unmasking: (site, body) => void this.#reveals.set(site, readReveals(body)),
  };

  /** Messages to each site when an exchange is closed. */
  readonly #answers: Record<
    Exclude<Exchange, 'unmasking'>,
    (
      sites: readonly number[],
      accepted: ReadonlyMap<number, Bytes>,
    ) => Promise<(site: number) => Bytes>
  > = {
    keys: async (sites, accepted) => {
      const roster = writeRoster(sites.map((site) => accepted.get(site)!));
      this.#graph = await graphOf(this.#context, sites, await suite.sha256(roster));
      return () => roster;
    },
    shares: async (sites) => {
      this.#sharing = sites;
      const sharing = new Set(sites);
      // Who keeps the deliveries keeps what they are made of, and not the round.
      const [graph, shares, { roster }] = [this.#graph!, this.#shares, this.#context];
      return (holder) => {
        const owners = graph.neighbours(holder).filter((owner) => sharing.has(owner));
        const entries = owners.map((owner) => ({
          ...shares.get(owner)!.entries.dealtTo(holder),
          peer: owner,
        }));
        return writeDelivery({ sharing, entries }, roster.length);
      };
    },
    input: async (sites) => {
      this.#survivors = sites;
      const survivors = writeSites(sites, this.#context.roster.length);
      return () => survivors;
    },
    consistency: async (_, accepted) => {
      const survivors = writeSites(this.#survivors, this.#context.roster.length);
      const confirmation = writeConfirmation({ survivors, messages: [...accepted.values()] });
      return () => confirmation;
    },
  };

  #requireDue(exchange: Exchange, site: number): void {
    if (exchange === this.#due && this.#sites.has(site)) return;
    throw new SkeinError(
      'AGGREGATION_PHASE_ANSWERED',
      `Site ${site} answers "${exchange}", but "${this.#due}" is due, of ${this.#sites.size} sites.`,
    );
  }

  #require(count: number, exchange: Exchange): void {
    const least = leastSites(this.#context);
    if (count >= least) return;
    throw new SkeinError(
      'AGGREGATION_TOO_FEW',
      `Only ${count} of ${this.#context.roster.length} sites answered "${exchange}"; the round needs ${least}.`,
    );
  }
}
