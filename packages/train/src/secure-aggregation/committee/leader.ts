/**
 * The leader's side of protocol B: it sums masked updates, publishes whose they are, and subtracts the
 * masks that the helpers summed. Like a server of protocol A it is not trusted, and it is made again
 * after a crash by repeating its calls. The caller stores updates and masks, and reads them again for the sum.
 *
 *     accept, acceptUpdate…  close() → list    acceptMasks, acceptSummedMasks…  sum()
 */
import { SkeinError } from '@skein/api/errors';
import type { Bytes, Signer } from '../crypto/suite.ts';
import { addWords } from '../crypto/words.ts';
import { reduce } from '../packing.ts';
import { madeInParts, type PartwiseSum } from '../partwise-sum.ts';
import { type ReadChunk, type ReadUpdate, Uploads } from '../upload.ts';
import { sameBytes } from '../wire/bytes.ts';
import { openEnvelope, signEnvelope } from '../wire/envelope.ts';
import { checkCommittee, committeeDigest, type CommitteeContext } from './context.ts';
import { readClientHead, readMasksHead, writeClients } from './messages.ts';
import { suite } from '../crypto/platform-suite.ts';

export interface CommitteeSum {
  /** Modulo 2^bits, with the noise of all helpers. */
  readonly sum: PartwiseSum;
  /** The clients whose updates are in it, ascending. */
  readonly clients: readonly number[];
}

export class LeaderRound {
  readonly #context: CommitteeContext;
  readonly #digest: Bytes;
  readonly #signer: Signer;
  readonly #updates: Uploads;
  readonly #masks: Uploads;
  readonly #heads = new Map<number, Bytes>();
  readonly #answers = new Map<number, Bytes>();
  #clients: readonly number[] = [];
  #list: Bytes | undefined;
  #phase: 'clients' | 'helpers' | 'ended' = 'clients';

  private constructor(context: CommitteeContext, digest: Bytes, signer: Signer) {
    this.#context = context;
    this.#digest = digest;
    this.#signer = signer;
    this.#updates = new Uploads(context);
    this.#masks = new Uploads(context);
  }

  /** @throws SkeinError AGGREGATION_INVALID, AGGREGATION_ROSTER_FORGED. */
  static async begin(context: CommitteeContext, signer: Signer): Promise<LeaderRound> {
    checkCommittee(context);
    return new LeaderRound(context, await committeeDigest(context), signer);
  }

  /** Clients whose updates have arrived. */
  get clients(): number[] {
    if (this.#phase !== 'clients') return [...this.#clients];
    return [...this.#heads.keys()].filter((client) => this.#updates.has(client));
  }

  /**
   * Accepts the head of a client's update. The same bytes again change nothing.
   * @throws SkeinError AGGREGATION_CONTEXT_OTHER, AGGREGATION_SIGNATURE_INVALID,
   *   AGGREGATION_ANSWERED_TWICE, AGGREGATION_PHASE_ANSWERED, AGGREGATION_INVALID.
   */
  async accept(client: number, head: Uint8Array): Promise<void> {
    this.#require('clients');
    const body = await this.#open(this.#heads, client, head, 'sealedInput', this.#context.roster);
    if (body === undefined) return;
    try {
      this.#updates.begin(client, readClientHead(body, this.#context).digests);
    } catch (error) {
      this.#heads.delete(client);
      throw error;
    }
  }

  /**
   * Accepts the update whose head was accepted: all of its chunks, or nothing.
   * @param read of a chunk; called once for each.
   * @throws SkeinError AGGREGATION_CHUNK_INVALID, AGGREGATION_PHASE_ANSWERED.
   */
  async acceptUpdate(client: number, read: ReadChunk): Promise<void> {
    this.#require('clients');
    await this.#updates.accept(client, read);
  }

  /** Chunks of an update, and of the masks of a helper. */
  get chunks(): number {
    return this.#updates.chunks;
  }

  /** sha-256 of the list, which each helper signs with its masks; undefined before `close`. */
  get list(): Bytes | undefined {
    return this.#list;
  }

  /**
   * Ends the collection.
   * @returns the signed list of clients, for every helper.
   * @throws SkeinError AGGREGATION_TOO_FEW; the round is then over.
   */
  async close(): Promise<Bytes> {
    this.#require('clients');
    this.#phase = 'ended';
    this.#clients = this.#updates.close();
    const { length: count } = this.#clients;
    if (count < this.#context.minimum) {
      throw new SkeinError(
        'AGGREGATION_TOO_FEW',
        `Only ${count} clients sent an update; a sum needs ${this.#context.minimum}.`,
      );
    }
    const body = writeClients(this.#clients.map((client) => this.#heads.get(client)!));
    this.#list = await suite.sha256(body);
    this.#phase = 'helpers';
    return signEnvelope({ digest: this.#digest, phase: 'clients', sender: 0, body }, this.#signer);
  }

  /**
   * Accepts the head of a helper's answer.
   * @throws SkeinError as `accept`, and AGGREGATION_SURVIVORS_SPLIT for an answer to another list.
   */
  async acceptMasks(helper: number, head: Uint8Array): Promise<void> {
    this.#require('helpers');
    const identities = this.#context.helpers.map(({ identity }) => identity);
    const body = await this.#open(this.#answers, helper, head, 'masks', identities);
    if (body === undefined) return;
    try {
      const { list, digests } = readMasksHead(body, this.#context);
      if (!sameBytes(list, this.#list!)) {
        throw new SkeinError(
          'AGGREGATION_SURVIVORS_SPLIT',
          `Helper ${helper} answers another list of clients.`,
        );
      }
      this.#masks.begin(helper, digests);
    } catch (error) {
      this.#answers.delete(helper);
      throw error;
    }
  }

  /** Does `acceptUpdate` for the masks of a helper. */
  async acceptSummedMasks(helper: number, read: ReadChunk): Promise<void> {
    this.#require('helpers');
    await this.#masks.accept(helper, read);
  }

  /**
   * Unmasks the sum. The round is then over.
   * @param read of accepted updates and masks, once or more for each chunk.
   * @throws SkeinError AGGREGATION_HELPER_LOST where a helper has not answered.
   */
  async sum(read: {
    readonly update: ReadUpdate;
    readonly masks: ReadUpdate;
  }): Promise<CommitteeSum> {
    this.#require('helpers');
    this.#phase = 'ended';
    const answered = this.#masks.close();
    const lost = [...this.#context.helpers.keys()].filter((helper) => !answered.includes(helper));
    if (lost.length > 0) {
      throw new SkeinError(
        'AGGREGATION_HELPER_LOST',
        `Helper ${lost.join(', ')} did not answer round ${this.#context.round}, so its sum stays masked.`,
      );
    }
    const { length, bits } = this.#context;
    const sum = madeInParts(length, async (part, from) => {
      const masks = new Uint32Array(part.length);
      await this.#masks.addTo(masks, from, read.masks);
      await this.#updates.addTo(part, from, read.update);
      addWords(part, masks, -1);
      reduce(part, bits);
    });
    return { sum, clients: this.#clients };
  }

  /** @returns the body, or undefined where these bytes were accepted before. */
  async #open(
    accepted: Map<number, Bytes>,
    number: number,
    message: Uint8Array,
    phase: 'sealedInput' | 'masks',
    identities: readonly Bytes[],
  ): Promise<Bytes | undefined> {
    // A copy: the caller may use its buffer again.
    const bytes = new Uint8Array(message);
    const { sender, body } = await openEnvelope(bytes, { digest: this.#digest, phase }, identities);
    if (sender !== number) {
      throw new SkeinError(
        'AGGREGATION_SIGNATURE_INVALID',
        `Participant ${number} sends a message of ${sender}.`,
      );
    }
    const first = accepted.get(number);
    if (first === undefined) {
      accepted.set(number, bytes);
      return body;
    }
    if (sameBytes(first, bytes)) return undefined;
    throw new SkeinError(
      'AGGREGATION_ANSWERED_TWICE',
      `Participant ${number} sent a second, different message in round ${this.#context.round}.`,
    );
  }

  #require(phase: 'clients' | 'helpers'): void {
    if (this.#phase === phase) return;
    throw new SkeinError(
      'AGGREGATION_PHASE_ANSWERED',
      `The round is not with the ${phase}: "${this.#phase}".`,
    );
  }
}
