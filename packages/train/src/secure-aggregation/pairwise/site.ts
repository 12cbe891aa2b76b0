/**
 * A site's side of one round of protocol A: Bonawitz et al. (CCS 2017) with active security.
 *
 *     keys → shares → input → consistency → unmasking → ended
 *
 * Each method answers one exchange, once. The caller stores `save()` and the returned message before it
 * sends the message; after a restart it sends the stored message again and resumes from the stored
 * state. A refusal ends the round for this site: nothing of it is answered again.
 */
import { SkeinError } from '@skein/api/errors';
import {
  checkContext,
  contextDigest,
  requireNew,
  siteNumber,
  type AggregationContext,
} from '../context.ts';
import { randomBytes, type Bytes, type Signer } from '../crypto/suite.ts';
import { leastSites } from '../graph.ts';
import { packAll } from '../packing.ts';
import { chunkDigests, type LaterInput, maskable, type MaskedUpdate } from '../upload.ts';
import { sameBytes } from '../wire/bytes.ts';
import { EXCHANGES, signEnvelope, type Exchange } from '../wire/envelope.ts';
import { advertisedOnce, type CheckedRosters } from './advertised.ts';
import { confirmed } from './confirmed.ts';
import { graphOf, type Graph } from './graph.ts';
import {
  readDelivery,
  readSurvivors,
  writeKeys,
  writeReveals,
  writeShares,
  type SealedShares,
} from './messages.ts';
import {
  commitment,
  dealShares,
  maskBinding,
  maskSign,
  ownMaskKey,
  pairMaskKey,
  sealingKey,
  seedDigest,
  SHARE,
  type SecretKind,
} from './secrets.ts';
import { newSiteState, readSiteState, writeSiteState, type SiteState } from './site-state.ts';
import { suite } from '../crypto/platform-suite.ts';

export class SiteRound {
  /** The number of this site in the roster. */
  readonly site: number;
  readonly #context: AggregationContext;
  readonly #signer: Signer;
  readonly #state: SiteState;
  /** Shared secrets with neighbours, for the shares: computed again after a restart. */
  readonly #sealing = new Map<number, Promise<Bytes>>();
  #graph: Promise<Graph> | undefined;

  readonly #rosters: CheckedRosters;
  readonly #accused = new Set<number>();

  private constructor(
    context: AggregationContext,
    signer: Signer,
    state: SiteState,
    rosters: CheckedRosters = new Map(),
  ) {
    this.#context = context;
    this.#rosters = rosters;
    this.#signer = signer;
    this.#state = state;
    this.site = siteNumber(context, signer.publicKey);
  }

  /**
   * Starts a round, with keys of its own.
   *
   * @param options.after the last round that this identity began in this run; -1: none.
   * @param options.rosters shared by the sites of a simulation, so that one checks for all.
   * @throws SkeinError AGGREGATION_INVALID, AGGREGATION_ROSTER_FORGED; AGGREGATION_PHASE_ANSWERED
   *   for a round that is not after the last one.
   */
  static async begin(
    context: AggregationContext,
    signer: Signer,
    { after, rosters }: { readonly after: number; readonly rosters?: CheckedRosters },
  ): Promise<SiteRound> {
    checkContext(context);
    requireNew(context, after);
    const [sealing, masking, seed] = [randomBytes(32), randomBytes(32), randomBytes(32)];
    const digest = await contextDigest(context);
    return new SiteRound(
      context,
      signer,
      newSiteState({ digest, sealing, masking, seed }),
      rosters,
    );
  }

  /** @param saved of `save()`. @throws SkeinError AGGREGATION_CONTEXT_OTHER, AGGREGATION_INVALID. */
  static async restore(
    context: AggregationContext,
    signer: Signer,
    saved: string,
  ): Promise<SiteRound> {
    checkContext(context);
    const state = readSiteState(saved);
    if (!sameBytes(state.digest, await contextDigest(context))) {
      throw new SkeinError(
        'AGGREGATION_CONTEXT_OTHER',
        'The stored state belongs to another round.',
      );
    }
    return new SiteRound(context, signer, state);
  }

  /** The whole state, secrets included. */
  save(): string {
    return writeSiteState(this.#state);
  }

  get due(): Exchange | 'ended' {
    return this.#state.due;
  }

  /** Sites whose shares for this one are missing, changed or not the committed ones, ascending: why `mask` refused. */
  get accused(): number[] {
    return [...this.#accused].toSorted((a, b) => a - b);
  }

  /** Exchange 0. @returns this round's public keys. */
  advertise(): Promise<Bytes> {
    return this.#once('keys', async () => {
      const { sealing, masking } = this.#state;
      return this.#signed(
        'keys',
        writeKeys({
          sealing: await suite.publicKey(sealing),
          masking: await suite.publicKey(masking),
        }),
      );
    });
  }

  /**
   * Exchange 1: deals shares of both secrets to the neighbours.
   * @param keys what the server answered to exchange 0.
   */
  share(keys: Uint8Array): Promise<Bytes> {
    return this.#once('shares', async () => {
      const state = this.#state;
      const roster = await advertisedOnce(keys, this.#context, state.digest, this.#rosters);
      const own = roster.keys.get(this.site);
      const [sealing, masking] = [suite.publicKey(state.sealing), suite.publicKey(state.masking)];
      if (
        own === undefined ||
        !sameBytes(own.sealing, await sealing) ||
        !sameBytes(own.masking, await masking)
      ) {
        throw new SkeinError(
          'AGGREGATION_ROSTER_FORGED',
          'The keys of the round do not contain this site’s keys.',
        );
      }
      state.graphSeed = roster.seed;
      state.maskingKeys = new Map([...roster.keys].map(([site, each]) => [site, each.masking]));
      state.sealingKeys = new Map([...roster.keys].map(([site, each]) => [site, each.sealing]));
      const { neighbours, threshold } = await this.#neighbourhood();
      const [ofMasking, ofSeed] = await Promise.all([
        dealShares(state.masking, neighbours.length + 1, threshold),
        dealShares(state.seed, neighbours.length + 1, threshold),
      ]);
      // The site's own share of its masking key would be useless: it is not asked when it is gone.
      state.ownShare = ofSeed.at(-1)!;
      const entries = await Promise.all(
        neighbours.map((peer, at) => this.#sealFor(peer, [ofMasking[at]!, ofSeed[at]!])),
      );
      return this.#signed(
        'shares',
        writeShares({
          seedDigest: await seedDigest(state.digest, state.seed),
          ownCommitment: await this.#commitment(this.site, this.site, 'seed', state.ownShare),
          entries,
        }),
      );
    });
  }

  /**
   * Exchange 2: masks the update.
   *
   * @param input one entry of `bits` bits each; not changed. A function is called once nothing can be refused any
   *   more: whether it is depends on no update.
   * @param delivery what the server answered to exchange 1.
   */
  mask(input: LaterInput, delivery: Uint8Array): Promise<MaskedUpdate> {
    return this.#once('input', async () => {
      const { bits, roster } = this.#context;
      const state = this.#state;
      const { sharing, entries } = readDelivery(delivery, roster.length);
      this.#require(sharing.size, 'shared their secrets');
      const { neighbours } = await this.#neighbourhood();
      const peers = neighbours.filter((peer) => sharing.has(peer));
      // The list is unsigned. In a complete graph it cannot leave out enough sites; on a ring it could leave
      // out all neighbours, so that only the own mask hides the update, which others then reveal.
      const isRing = neighbours.length < state.maskingKeys.size - 1;
      if (isRing && peers.length < neighbours.length) {
        throw new SkeinError(
          'AGGREGATION_SURVIVORS_SPLIT',
          'A neighbour of this site is missing from the sites that shared.',
        );
      }
      const dealt = new Map(entries.map((entry) => [entry.peer, entry]));
      state.sharing = [...sharing];
      // All of them, also after a bad one: each dealer of bad shares is named.
      const opened = await Promise.allSettled(
        peers.map((peer) => this.#open(peer, dealt.get(peer))),
      );
      state.held = new Map(
        opened.map((each, at) => {
          if (each.status === 'rejected') throw each.reason;
          return [peers[at]!, each.value] as const;
        }),
      );
      const binding = await maskBinding(state.digest, this.#context);
      const keysOf = (sign: 1 | -1): Promise<Bytes[]> =>
        Promise.all(
          peers
            .filter((peer) => maskSign(this.site, peer) === sign)
            .map((peer) => pairMaskKey(binding, state.masking, state.maskingKeys.get(peer)!)),
        );
      const [own, added, taken] = [
        await ownMaskKey(state.digest, state.seed),
        await keysOf(1),
        await keysOf(-1),
      ];
      const masked = await maskable(input, this.#context);
      await suite.addKeystreams(masked, [own, ...added], 1);
      await suite.addKeystreams(masked, taken, -1);
      const chunks = packAll(masked, bits);
      return { head: await this.#signed('input', await chunkDigests(chunks)), chunks };
    });
  }

  /**
   * Exchange 3: signs the list of survivors.
   * @param survivors what the server answered to exchange 2.
   */
  async sign(survivors: Uint8Array): Promise<Bytes> {
    this.#refuseSecondList(survivors);
    return this.#once('consistency', async () => {
      const list = readSurvivors(survivors, this.#context);
      this.#require(list.size, 'survived');
      const sharing = new Set(this.#state.sharing);
      const isKnown = [...list].every((site) => sharing.has(site));
      const graph = await this.#graphOnce();
      if (!list.has(this.site) || !isKnown || !graph.connects(list)) {
        throw new SkeinError(
          'AGGREGATION_SURVIVORS_SPLIT',
          'The list of survivors omits this site, names sites that shared nothing, or isolates sites.',
        );
      }
      this.#state.survivors = new Uint8Array(survivors);
      return this.#signed('consistency', await suite.sha256(this.#state.survivors));
    });
  }

  /**
   * Exchange 4: reveals, of each neighbour, the share of one of its two secrets.
   * @param confirmation what the server answered to exchange 3.
   */
  async unmask(confirmation: Uint8Array): Promise<Bytes> {
    this.#refuseSecondList(confirmation.subarray(0, this.#state.survivors.length));
    return this.#once('unmasking', async () => {
      const { digest, survivors, held, ownShare } = this.#state;
      await confirmed(confirmation, this.#context, digest, survivors);
      const list = readSurvivors(survivors, this.#context);
      const reveals = new Map([[this.site, ownShare]]);
      for (const [owner, shares] of held) {
        reveals.set(owner, list.has(owner) ? shares.slice(SHARE) : shares.slice(0, SHARE));
      }
      return this.#signed('unmasking', writeReveals(reveals));
    });
  }

  /** Runs an exchange that is due, and makes the next one due; a refusal ends the round. */
  async #once<T>(exchange: Exchange, answer: () => Promise<T>): Promise<T> {
    const { due } = this.#state;
    if (due !== exchange) {
      throw new SkeinError(
        'AGGREGATION_PHASE_ANSWERED',
        `Round ${this.#context.round}: "${exchange}" is asked for, but "${due}" is due.`,
      );
    }
    // Before anything is awaited: a second call at the same time must not be answered.
    this.#state.due = 'ended';
    const message = await answer();
    this.#state.due = EXCHANGES[EXCHANGES.indexOf(exchange) + 1] ?? 'ended';
    return message;
  }

  /** A second list would move a site between the dropped and the survivors: both of its secrets. */
  #refuseSecondList(survivors: Uint8Array): void {
    const signed = this.#state.survivors;
    if (signed.length === 0 || sameBytes(signed, survivors)) return;
    throw new SkeinError(
      'AGGREGATION_BOTH_SECRETS',
      'A second list of survivors asks for both secrets of a site.',
    );
  }

  #require(count: number, what: string): void {
    const least = leastSites(this.#context);
    if (count >= least) return;
    throw new SkeinError(
      'AGGREGATION_TOO_FEW',
      `Only ${count} sites ${what}; the round needs ${least}.`,
    );
  }

  #signed(phase: Exchange, body: Bytes): Promise<Bytes> {
    return signEnvelope(
      { digest: this.#state.digest, phase, sender: this.site, body },
      this.#signer,
    );
  }

  #graphOnce(): Promise<Graph> {
    const { maskingKeys, graphSeed } = this.#state;
    const present = [...maskingKeys.keys()].toSorted((a, b) => a - b);
    return (this.#graph ??= graphOf(this.#context, present, graphSeed));
  }

  async #neighbourhood() {
    const graph = await this.#graphOnce();
    return { neighbours: graph.neighbours(this.site), threshold: graph.threshold };
  }

  #commitment(owner: number, holder: number, kind: SecretKind, share: Bytes): Promise<Bytes> {
    return commitment({ digest: this.#state.digest, owner, holder, kind }, share);
  }

  #agreed(peer: number): Promise<Bytes> {
    const known = this.#sealing.get(peer);
    if (known !== undefined) return known;
    const agreed = Promise.resolve(
      suite.agree(this.#state.sealing, this.#state.sealingKeys.get(peer)!),
    );
    this.#sealing.set(peer, agreed);
    return agreed;
  }

  async #sealFor(peer: number, [masking, seed]: readonly [Bytes, Bytes]): Promise<SealedShares> {
    const commitments = [
      await this.#commitment(this.site, peer, 'masking', masking),
      await this.#commitment(this.site, peer, 'seed', seed),
    ] as const;
    const names = { digest: this.#state.digest, owner: this.site, holder: peer };
    const key = await sealingKey(names, await this.#agreed(peer));
    const plain = Uint8Array.of(...masking, ...seed);
    const associated = Uint8Array.of(...commitments[0], ...commitments[1]);
    return { peer, commitments, sealed: await suite.seal(key, plain, associated) };
  }

  /** @returns both shares in a row. @throws SkeinError AGGREGATION_SHARE_BAD, naming the dealer. */
  async #open(peer: number, entry: SealedShares | undefined): Promise<Bytes> {
    try {
      if (entry === undefined) throw new Error('nothing was delivered');
      const [masking, seed] = entry.commitments;
      const names = { digest: this.#state.digest, owner: peer, holder: this.site };
      const key = await sealingKey(names, await this.#agreed(peer));
      const shares = await suite.open(key, entry.sealed, Uint8Array.of(...masking, ...seed));
      const kinds = [
        await this.#commitment(peer, this.site, 'masking', shares.slice(0, SHARE)),
        await this.#commitment(peer, this.site, 'seed', shares.slice(SHARE)),
      ] as const;
      if (!sameBytes(kinds[0], masking) || !sameBytes(kinds[1], seed))
        throw new Error('commitment');
      return shares;
    } catch (cause) {
      this.#accused.add(peer);
      throw new SkeinError(
        'AGGREGATION_SHARE_BAD',
        `The shares that site ${peer} dealt to site ${this.site} are missing, changed or not the committed ones.`,
        { cause },
      );
    }
  }
}
