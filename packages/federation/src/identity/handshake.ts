/**
 * The handshake of a site. Runs in Node and in the browser. Each side signs both nonces, so that no
 * recorded handshake can be replayed; the site sends its invitation only after the coordinator has
 * proved the key that the invitation names.
 */
import { SkeinError } from '@skein/api/errors';
import { checkPlan } from '../plan/check.ts';
import { requireSealingKeys } from '../plan/helpers.ts';
import { digestOf } from '@skein/api/canonical';
import type { Plan } from '../plan/plan.ts';
import type { Arrival, Channel } from '../transport/channel.ts';
import { type Invitation, proofOf } from './invitation.ts';
import { type Identity, isSignedBy } from './keys.ts';
import { randomHex } from '@skein/api/signing-key';
import { type MessageOf, protocolError } from '../transport/messages.ts';

export interface Joined {
  readonly plan: Plan;
  /** sha-256 of the plan, in hex. */
  readonly planDigest: string;
  /** The coordinator's public key. */
  readonly coordinator: string;
  /** The name that the coordinator's operator gave this site. */
  readonly name: string;
  readonly role: 'site' | 'helper';
}

export interface JoinOptions {
  readonly identity: Identity;
  /** Keep `run` and `coordinator` of it: later joins need no secret. */
  readonly invitation: Pick<Invitation, 'run' | 'coordinator'> & Partial<Invitation>;
  /** Throws to decline; the connection then ends. @returns what the site remembers of the run. */
  accept(joined: Joined): Promise<Remembered | void> | Remembered | void;
}

/** A site's memory of a run, so that a coordinator that was restored from an older copy is found. */
export type Remembered = Pick<MessageOf<'accept'>, 'seen' | 'releases'>;

/** The value that both sides sign. */
export interface Greeting {
  readonly run: string;
  readonly site: string;
  readonly coordinator: string;
  readonly siteNonce: string;
  readonly coordinatorNonce: string;
}

/**
 * Joins as a site or helper: proves the identity, reads the plan, accepts it.
 * @throws SkeinError IDENTITY_UNPROVEN (another coordinator), and what the coordinator refuses with.
 */
export async function join(channel: Channel, options: JoinOptions): Promise<Joined> {
  const { identity, invitation } = options;
  const { run, coordinator, id, secret } = invitation;
  const siteNonce = randomHex(32);
  await channel.send({ kind: 'hello', run, key: identity.key, nonce: siteNonce });
  const challenge = await expectKind(channel, 'challenge');
  const greeting: Greeting = {
    run,
    site: identity.key,
    coordinator,
    siteNonce,
    coordinatorNonce: challenge.nonce,
  };
  const isKnown = challenge.key === coordinator;
  if (!isKnown || !(await isSignedBy(coordinator, 'challenge', greeting, challenge.signature))) {
    throw new SkeinError(
      'IDENTITY_UNPROVEN',
      `The coordinator does not have the key ${coordinator.slice(0, 16)}… that the invitation names.`,
    );
  }
  await channel.send({
    kind: 'prove',
    signature: await identity.sign('prove', greeting),
    ...(id === undefined || secret === undefined ? {} : { invitation: proofOf({ id, secret }) }),
  });
  const welcome = await expectKind(channel, 'welcome');
  const plan = checkPlan(welcome.plan);
  await requireSealingKeys(plan);
  const planDigest = await digestOf(plan);
  const joined = { plan, planDigest, coordinator, name: welcome.name, role: welcome.role };
  const remembered = await options.accept(joined);
  const signature = await identity.sign('accept', { run, plan: planDigest });
  await channel.send({ kind: 'accept', plan: planDigest, signature, ...remembered });
  return joined;
}

/** @throws SkeinError FEDERATION_PROTOCOL for another kind, or the end of the channel. */
export async function expectKind<K extends Arrival['message']['kind']>(
  channel: Channel,
  kind: K,
): Promise<Extract<Arrival['message'], { kind: K }>> {
  const message = (await channel.receive())?.message;
  if (message?.kind === kind) return message as Extract<Arrival['message'], { kind: K }>;
  const what = message === undefined ? 'The connection ended' : `A ${message.kind} message came`;
  throw protocolError(`${what} instead of ${kind}.`);
}
