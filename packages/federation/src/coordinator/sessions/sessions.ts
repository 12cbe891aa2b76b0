/**
 * The coordinator's side of a connection: the handshake, and what a site sends after it.
 *
 * Before a site has proved its key it may only greet: it sends no payload, has `PROVE_MS` to finish,
 * and only `MOST_GREETING` do so at once. After that there is one connection for each enrolled key,
 * and one more that reads the plan.
 */
import { SkeinError } from '@skein/api/errors';
import { TurnTime } from '@skein/http';
import { expectKind, type Greeting } from '../../identity/handshake.ts';
import { lookUpOf } from '../../identity/invitation.ts';
import { isSignedBy } from '../../identity/keys.ts';
import { randomHex } from '@skein/api/signing-key';
import type { SeenEntry } from '../../ledger/seen.ts';
import { helpersOf } from '../../plan/helpers.ts';
import type { FederationStore, MemberRecord } from '../../store/federation-store.ts';
import { type Arrival, type Channel, openChannel, refusalOf } from '../../transport/channel.ts';
import type { Chunks } from '../../transport/chunks.ts';
import type { Connection } from '../../transport/connection.ts';
import { FROM_SITE, FROM_STRANGER, PART_BYTES, protocolError } from '../../transport/messages.ts';
import { createPace, type Turns } from '../../transport/pace.ts';
import { type ConductorOptions, isOfStore } from '../rounds/attempt.ts';
import type { Conductor } from '../rounds/conductor.ts';
import { type Session, statusOf } from './session.ts';
import { storedPayload } from '../storage/uploads.ts';

export interface SessionsOptions extends Pick<
  ConductorOptions,
  'store' | 'artifacts' | 'sweeper' | 'identity' | 'onFault'
> {
  /** @throws SkeinError FEDERATION_UNKNOWN. */
  readonly conductorOf: (run: string) => Promise<Conductor>;
  /** Where the payloads of a site arrive. */
  readonly chunksOf: (conductor: Conductor, key: string) => Chunks;
  /** How often a site is sent the status, in milliseconds. */
  readonly statusMs: number;
}

/** Handshakes at the same time. */
export const MOST_GREETING = 256;
/** Pace of payloads on their way to and from all sites: it bounds the memory of a round of many sites. */
const PACE = { totalBytes: 2 ** 20, leastBytes: PART_BYTES, leaseMs: 2000 };
/** Longest time until a key is proved, in milliseconds. */
const PROVE_MS = 10_000;

export interface Sessions {
  serve(connection: Connection): void;
  /** Ends every connection, and waits for what they have asked of the store. */
  close(): Promise<void>;
}

export function createSessions(options: SessionsOptions): Sessions {
  let greeting = 0;
  /** Channels that read the plan, by key. */
  const reading = new Map<string, Channel>();
  const pace = createPace(PACE);
  const turns = sharedTurns();
  const channels = new Map<Channel, Promise<void>>();
  let isClosed = false;

  function begin(connection: Connection): void {
    if (isClosed) return connection.close();
    let chunks: Chunks | undefined;
    const gate: Chunks = {
      held: (digest, bytes) => opened(chunks).held(digest, bytes),
      append: (digest, offset, part) => opened(chunks).append(digest, offset, part),
      finish: (digest, bytes) => opened(chunks).finish(digest, bytes),
    };
    const channel = openChannel(connection, gate, { pace, turns, takes: FROM_STRANGER });
    const served = serve(channel, connection, (own) => {
      chunks = own;
    });
    channels.set(channel, served);
    void served.finally(() => channels.delete(channel));
  }

  /** @param takePayloads from then on. */
  async function serve(
    channel: Channel,
    connection: Connection,
    takePayloads: (chunks: Chunks) => void,
  ): Promise<void> {
    let statusTimer: ReturnType<typeof setInterval> | undefined;
    try {
      if (greeting >= MOST_GREETING) {
        throw new SkeinError('FEDERATION_BUSY', `${MOST_GREETING} sites are joining at once.`);
      }
      greeting += 1;
      const late = setTimeout(() => channel.close(tooLate()), PROVE_MS);
      const proved = await prove(channel, options).finally(() => {
        greeting -= 1;
        clearTimeout(late);
      });
      const { conductor, member } = proved;
      connection.admit?.();
      channel.takes(FROM_SITE);
      statusTimer = setInterval(() => {
        channel.send(statusOf(conductor.record)).catch(() => {});
      }, options.statusMs);
      reading.get(member.key)?.close(displaced());
      reading.set(member.key, channel);
      await acceptance(channel, options, conductor, member).finally(() => {
        if (reading.get(member.key) === channel) reading.delete(member.key);
      });
      takePayloads(options.chunksOf(conductor, member.key));
      const session: Session = { key: member.key, role: member.role, channel };
      conductor.join(session);
      try {
        // It may have been revoked while it read the plan, when there was no session to end.
        await requireUnrevoked(options.store, conductor.record.id, member.key);
        for (let arrival = await channel.receive(); arrival; arrival = await channel.receive()) {
          await handle(arrival, session, conductor, options);
        }
      } finally {
        conductor.leave(session);
      }
    } catch (error) {
      if (error instanceof SkeinError && !isOfStore(error)) return channel.close(error);
      options.onFault(error);
      channel.close(
        new SkeinError('FEDERATION_BUSY', 'The coordinator has a fault; it was logged.'),
      );
    } finally {
      clearInterval(statusTimer);
    }
  }
  return {
    serve: begin,
    async close() {
      isClosed = true;
      for (const channel of channels.keys()) channel.close();
      await Promise.all(channels.values());
    },
  };
}

/** Frames of all sites take so much of a turn of the event loop as requests over HTTP do. */
function sharedTurns(): Turns {
  const time = new TurnTime();
  return {
    run: <T>(work: () => T) =>
      new Promise<T>((resolve, reject) => {
        const decode = (): void => {
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        };
        if (time.isSpent) time.wait(() => time.spend(decode));
        else time.spend(decode);
      }),
  };
}

/** The key of the site is proved, and enrolled. */
async function prove(
  channel: Channel,
  { store, identity, conductorOf }: SessionsOptions,
): Promise<{ conductor: Conductor; member: MemberRecord }> {
  const hello = await expectKind(channel, 'hello');
  const conductor = await conductorOf(hello.run);
  const greeting: Greeting = {
    run: hello.run,
    site: hello.key,
    coordinator: identity.key,
    siteNonce: hello.nonce,
    coordinatorNonce: randomHex(32),
  };
  await channel.send({
    kind: 'challenge',
    key: identity.key,
    nonce: greeting.coordinatorNonce,
    signature: await identity.sign('challenge', greeting),
  });
  const proof = await expectKind(channel, 'prove');
  if (!(await isSignedBy(hello.key, 'prove', greeting, proof.signature))) {
    throw new SkeinError('IDENTITY_UNPROVEN', 'The proof is not of the key that greeted.');
  }
  const known = await store.member(hello.run, hello.key);
  if (known?.revokedAt !== undefined) throw revoked(hello.key);
  if (known !== undefined) return { conductor, member: known };
  if (proof.invitation === undefined) {
    throw new SkeinError('IDENTITY_UNKNOWN', `The key ${hello.key.slice(0, 16)}… is not enrolled.`);
  }
  const { plan } = conductor.record;
  const role = helpersOf(plan).some(({ identity: key }) => key === hello.key) ? 'helper' : 'site';
  const proved = await lookUpOf(proof.invitation);
  return { conductor, member: await store.enrol(hello.run, hello.key, role, proved) };
}

/** @throws SkeinError IDENTITY_REVOKED. */
async function requireUnrevoked(store: FederationStore, run: string, key: string): Promise<void> {
  const member = await store.member(run, key);
  if (member?.revokedAt !== undefined) throw revoked(key);
}

/** @throws SkeinError LEDGER_INVALID where a site has seen an entry that this ledger does not have. */
async function requireSeen(
  store: FederationStore,
  run: string,
  seen: SeenEntry | undefined,
): Promise<void> {
  if (seen === undefined) return;
  const [entry] = await store.ledger(run, seen.sequence, 1);
  if (entry?.hash === seen.hash) return;
  throw new SkeinError(
    'LEDGER_INVALID',
    `The site has seen an entry ${seen.sequence} that this ledger does not have: the coordinator was restored from an older copy.`,
  );
}

/** Shows the plan, and waits as long as it takes until it is accepted. */
async function acceptance(
  channel: Channel,
  { store }: SessionsOptions,
  conductor: Conductor,
  { key, name, role }: MemberRecord,
): Promise<void> {
  const { id: run, plan, planDigest } = conductor.record;
  await channel.send({ kind: 'welcome', name, role, plan });
  const given = await expectKind(channel, 'accept');
  if (given.plan !== planDigest) {
    throw new SkeinError(
      'PLAN_CHANGED',
      `The site accepts ${given.plan.slice(0, 16)}…, another plan.`,
    );
  }
  const { signature } = given;
  if (!(await isSignedBy(key, 'accept', { run, plan: planDigest }, signature))) {
    throw new SkeinError('IDENTITY_UNPROVEN', 'The signature of the plan is not of this site.');
  }
  await requireSeen(store, run, given.seen);
  await conductor.places.accept(key, signature, given.releases);
}

async function handle(
  { message, payload }: Arrival,
  session: Session,
  conductor: Conductor,
  { artifacts, sweeper }: SessionsOptions,
): Promise<void> {
  const { channel, key } = session;
  /** A large payload is an artifact already. */
  const forgetPayload = () => sweeper.sweep(payload === undefined ? [] : [payload.digest]);
  switch (message.kind) {
    case 'answer': {
      const { place, fields, signature } = message;
      try {
        await conductor.answer({ place, fields, signature, site: key }, payload);
        return await channel.send({ kind: 'acknowledge', place });
      } catch (error) {
        // The sender still has it, and connects again.
        if (!(error instanceof SkeinError) || isOfStore(error)) throw error;
        conductor.decline(key, place);
        await forgetPayload();
        return channel.send({ ...refusalOf(error), place });
      }
    }
    case 'fetch': {
      const { model } = conductor.record.plan;
      if (message.digest !== model.digest) {
        throw new SkeinError('PLAN_CHANGED', 'Only the model of the plan can be fetched.');
      }
      // Its reader confirms it with messages that come through here: it must not be waited for.
      const payload = await storedPayload(artifacts, model.digest);
      channel.send({ kind: 'content' }, payload).catch(() => {});
      return;
    }
    case 'witness':
      return conductor.witness({
        key,
        sequence: message.sequence,
        hash: message.hash,
        signature: message.signature,
      });
    case 'refuse':
      if (message.place === undefined) return;
      if (message.accused !== undefined) {
        return conductor.accuse(key, message.place, message.accused);
      }
      return conductor.decline(key, message.place);
    default:
      await forgetPayload();
      throw protocolError(`A site does not send ${message.kind} messages now.`);
  }
}

function opened(chunks: Chunks | undefined): Chunks {
  if (chunks !== undefined) return chunks;
  throw protocolError('A payload came before the plan was accepted.');
}

const revoked = (key: string): SkeinError =>
  new SkeinError('IDENTITY_REVOKED', `The key ${key.slice(0, 16)}… was revoked.`);

const displaced = (): SkeinError =>
  new SkeinError('FEDERATION_BUSY', 'Another connection of this key reads the plan.');

const tooLate = (): SkeinError =>
  new SkeinError('FEDERATION_BUSY', `The key was not proved within ${PROVE_MS / 1000} seconds.`);
