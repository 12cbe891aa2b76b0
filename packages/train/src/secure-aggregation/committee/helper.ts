/**
 * A helper's side of protocol B: it sums masks of the clients that the leader lists, once per round.
 *
 * One sum per round is what protects a client: the difference of two would be the mask of one client.
 */
import { SkeinError } from '@skein/api/errors';
import { requireNew } from '../context.ts';
import type { Bytes, Signer } from '../crypto/suite.ts';
import { packAll } from '../packing.ts';
import { chunkDigests, type MaskedUpdate } from '../upload.ts';
import { openEnvelope, signEnvelope } from '../wire/envelope.ts';
import { checkCommittee, committeeDigest, type CommitteeContext } from './context.ts';
import { readClientHead, readClients, writeMasksHead } from './messages.ts';
import { seedOpener } from './seeds.ts';
import { suite } from '../crypto/platform-suite.ts';

/** Clients whose seeds are opened at a time. */
const BATCH = 64;

export class Helper {
  readonly #signer: Signer;
  readonly #secret: Bytes;
  #after: number;

  /**
   * A helper of one run.
   * @param secret X25519, 32 bytes: the public key is in the context.
   * @param options.after the last round that it answered or refused; -1: none.
   */
  constructor(signer: Signer, secret: Bytes, { after }: { readonly after: number }) {
    this.#signer = signer;
    this.#secret = secret;
    this.#after = after;
  }

  /** The last round that it answered or refused: stored with the answer, before that is sent. */
  get after(): number {
    return this.#after;
  }

  /**
   * Finds which seeds open, so that a leader can leave out clients that sent others. It reveals nothing
   * about a mask, and does not count as the answer of the round.
   *
   * @param list of the leader.
   * @returns the numbers of clients whose seed does not open, ascending.
   * @throws SkeinError as `answer`, but for AGGREGATION_PHASE_ANSWERED.
   */
  async check(context: CommitteeContext, list: Uint8Array): Promise<number[]> {
    checkCommittee(context);
    const { opened } = await this.#open(context, await committeeDigest(context), list);
    const failed = [...opened].filter(([, key]) => key === undefined);
    return failed.map(([client]) => client).toSorted((a, b) => a - b);
  }

  /**
   * Sums the masks of the listed clients, less this helper's noise.
   *
   * @param list of the leader.
   * @param noise this helper's share of it, modulo 2^bits: `length` entries.
   * @param approve receives the listed clients before anything is summed; throws to refuse.
   * @throws SkeinError AGGREGATION_PHASE_ANSWERED, AGGREGATION_TOO_FEW, AGGREGATION_ROSTER_FORGED,
   *   AGGREGATION_SIGNATURE_INVALID, AGGREGATION_CONTEXT_OTHER, AGGREGATION_INVALID;
   *   AGGREGATION_SHARE_BAD naming a client whose seed does not open. The round is then spent too.
   */
  async answer(
    context: CommitteeContext,
    list: Uint8Array,
    noise: Uint32Array,
    approve: (clients: readonly number[]) => Promise<void> = async () => {},
  ): Promise<MaskedUpdate> {
    checkCommittee(context);
    requireNew(context, this.#after);
    if (noise.length !== context.length) {
      throw new SkeinError(
        'AGGREGATION_INVALID',
        `The noise has ${noise.length} entries, not ${context.length}.`,
      );
    }
    // Before anything is awaited: a second call at the same time must not be answered.
    this.#after = context.round;
    const digest = await committeeDigest(context);
    const { opened, listDigest } = await this.#open(context, digest, list);
    const keys = [...opened].map(([client, key]) => {
      if (key !== undefined) return key;
      throw new SkeinError(
        'AGGREGATION_SHARE_BAD',
        `The seed that client ${client} sealed does not open.`,
      );
    });
    await approve([...opened.keys()].toSorted((a, b) => a - b));
    const sum = noise.map((entry) => -entry);
    await suite.addKeystreams(sum, keys, 1);
    const chunks = packAll(sum, context.bits);
    const body = writeMasksHead(listDigest, await chunkDigests(chunks));
    const sender = this.#number(context);
    return {
      head: await signEnvelope({ digest, phase: 'masks', sender, body }, this.#signer),
      chunks,
    };
  }

  /** The seeds of all listed clients, after every check; undefined where one does not open. */
  async #open(context: CommitteeContext, digest: Bytes, list: Uint8Array) {
    const own = this.#number(context);
    const { body } = await openEnvelope(new Uint8Array(list), { digest, phase: 'clients' }, [
      context.leader,
    ]);
    const heads = readClients(body, context);
    if (heads.length < context.minimum) {
      throw new SkeinError(
        'AGGREGATION_TOO_FEW',
        `The list has ${heads.length} clients; a sum needs ${context.minimum}.`,
      );
    }
    const open = await seedOpener(digest, own, this.#secret);
    const opened = new Map<number, Bytes | undefined>();
    const openSeed = async (head: Bytes): Promise<void> => {
      const { sender, body: client } = await openEnvelope(
        head,
        { digest, phase: 'sealedInput' },
        context.roster,
      );
      if (opened.has(sender)) {
        throw new SkeinError('AGGREGATION_ROSTER_FORGED', `The list names client ${sender} twice.`);
      }
      opened.set(sender, undefined);
      const sealed = readClientHead(client, context).seeds[own]!;
      opened.set(sender, await open(sender, sealed).catch(() => undefined));
    };
    for (let at = 0; at < heads.length; at += BATCH) {
      await Promise.all(heads.slice(at, at + BATCH).map(openSeed));
    }
    return { opened, listDigest: await suite.sha256(body) };
  }

  #number({ helpers }: CommitteeContext): number {
    const number = helpers.findIndex(
      ({ identity }) => String(identity) === String(this.#signer.publicKey),
    );
    if (number >= 0) return number;
    throw new SkeinError('AGGREGATION_ROSTER_FORGED', 'The committee does not name this helper.');
  }
}
