/**
 * The other members of the fleet, as this node calls them and is called by them. A node without a
 * fleet, or without its key, has none of it.
 */
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type MemberForwarding, SkeinError } from '@skein/api';
import {
  acceptLink,
  asksForLink,
  forwardRefused,
  MIN_KEY_LENGTH,
  Peer,
  servePeer,
  type FleetMember,
  type LinkOptions,
} from '@skein/fleet';
import { type Certificates, type Exposition, toSkeinError, type UpgradeHandler } from '@skein/http';
import type { DeploymentControl, Inference, Instant, Serving } from '@skein/serving';
import { carryOut, placedControl } from '../fleet/placed-control.ts';
import type { FleetPlacing } from '../fleet/placing.ts';
import { exposePeers, newReceived } from '../telemetry/metrics/peers-page.ts';
import type { Callers } from './callers.ts';
import type { NodeSettings } from './options.ts';
import type { Opening } from './component.ts';
import type { StorageComponent } from './storage.ts';

/** Who the members are, as the node last read them. */
export interface MembersView {
  /** This node's incarnation; empty before it has joined. */
  readonly incarnation: string;
  /** The same array as long as nothing was read. */
  readonly members: readonly FleetMember[];
}

export interface ForwardingComponent {
  /** Answers what this node refuses with the help of others. */
  readonly inference: Inference;
  /** Changes deployments on the members that hold them. */
  readonly control: DeploymentControl;
  readonly upgrade: UpgradeHandler;
  /** Answers what others have sent, and takes no more. */
  drain(by: Instant): Promise<void>;
  /** Requests forwarded since the node started. */
  readonly counters: MemberForwarding;
  expose(into: Exposition): void;
}

export interface ForwardingComponentOptions {
  readonly serving: Serving;
  /** Adds traces, where they are exported. */
  readonly traced: (inference: Inference) => Inference;
  readonly callers: Pick<Callers, 'bodies'>;
  readonly certificates: Certificates | undefined;
  readonly members: MembersView;
  readonly placing: FleetPlacing | undefined;
  readonly storage: Pick<StorageComponent, 'registry' | 'state'>;
}

/** Tensors take at most so many times the bytes of the body that they came in: digits of 64-bit integers. */
const TENSOR_BYTES_PER_BODY_BYTE = 4;
/** Outputs of a run are bounded by half of it. */
const MAX_ANSWER_BYTES = 512 * 2 ** 20;
/** The log has so much time, in milliseconds, in one line about callers without the key. */
const STRANGERS_MS = 1000;
/** Time in which members learn that this one has left, in milliseconds. */
const LEAVING_MS = 1500;

/** @throws SkeinError FLEET_KEY_INVALID. */
export function openForwarding(
  { options, logger, lifecycle, clock }: Opening,
  { serving, traced, callers, certificates, members, placing, storage }: ForwardingComponentOptions,
): ForwardingComponent | undefined {
  const { registry, state } = storage;
  const { fleetKey: key, redis, maxBodyBytes } = options;
  if (redis === undefined) return undefined;
  if (key === undefined) {
    logger.warn(
      {},
      'Without SKEIN_FLEET_KEY, requests that this node refuses go to no other member.',
    );
    return undefined;
  }
  if (key.length < MIN_KEY_LENGTH) {
    const message = `The key of the fleet has ${key.length} characters.`;
    throw new SkeinError('FLEET_KEY_INVALID', message);
  }
  const sessions = new Set<ServerHttp2Session>();
  const received = newReceived();
  let isLeaving = false;

  const forwarding = forwardRefused({
    local: serving,
    members: () => members.members,
    self: () => members.incarnation,
    open: (address) =>
      new Peer(address, {
        key,
        certificate: certificateOf(certificates),
        clock,
        random: Math.random,
        maxBytes: MAX_ANSWER_BYTES,
        budget: callers.bodies,
      }),
    clock,
    random: Math.random,
  });
  lifecycle.open('peers', () => forwarding.close());

  const control =
    placing === undefined
      ? serving
      : placedControl({
          local: serving,
          registry,
          stored: (deployment) => state.deployment(deployment),
          placing,
          self: () => members.incarnation,
          holders: (deployment) => forwarding.holders(deployment),
          ask: async (member, change) => forwarding.peer(member)?.change(change),
        });
  const inner = traced(serving);
  const local = {
    async infer(request: Parameters<Inference['infer']>[0]) {
      received.requests++;
      return inner.infer(request);
    },
    predict(request: Parameters<Inference['infer']>[0]) {
      received.predictions++;
      return serving.predict(request);
    },
  };
  const serve = (session: ServerHttp2Session): void => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    servePeer(session, {
      local,
      clock,
      maxBytes: TENSOR_BYTES_PER_BODY_BYTE * maxBodyBytes,
      change: (change) => carryOut(serving, change),
      hold: (tenant) => callers.bodies.hold(tenant),
      toError: (thrown, id) => toSkeinError(thrown, id, logger),
    });
  };

  let strangers = 0;
  /** A flood of callers without the key does not fill the log. */
  const noteStranger = (remote: string | undefined): void => {
    if (strangers++ > 0) return;
    logger.warn({ remote }, 'A caller did not know the fleet key.');
    setTimeout(() => {
      if (strangers > 1) {
        logger.warn({ more: strangers - 1 }, 'More callers did not know the fleet key.');
      }
      strangers = 0;
    }, STRANGERS_MS).unref();
  };

  return {
    inference: forwarding.inference,
    control,
    upgrade: {
      asks: asksForLink,
      async accept(request, socket: Socket, head) {
        if (isLeaving) {
          socket.destroy();
          return false;
        }
        const remote = socket.remoteAddress;
        const session = await acceptLink(request, socket, head, key);
        if (session !== undefined) serve(session);
        else noteStranger(remote);
        return session !== undefined;
      },
    },
    async drain(by) {
      const leftMs = by - clock.now();
      await new Promise((resolve) => setTimeout(resolve, Math.min(LEAVING_MS, leftMs / 2)));
      isLeaving = true;
      const closed = [...sessions].map(
        (session) => new Promise((resolve) => session.once('close', resolve)),
      );
      for (const session of sessions) session.close();
      const timer = setTimeout(
        () => {
          for (const session of sessions) session.destroy();
        },
        Math.max(0, by - clock.now()),
      );
      await Promise.all(closed);
      clearTimeout(timer);
    },
    counters: forwarding.counters,
    expose: (into) => exposePeers(into, forwarding, received, sessions.size),
  };
}

/** The node presents its own certificate, for peers that ask for one. */
function certificateOf(certificates: Certificates | undefined): LinkOptions['certificate'] {
  if (certificates === undefined) return undefined;
  return () => {
    const { cert, key } = certificates.current.context;
    return { cert, key };
  };
}

/** The URL at which other members call this node: as given, else the first address of the machine that is no loopback. */
export function advertisedUrl({ advertise, host }: NodeSettings, url: string): string {
  if (advertise !== undefined) return advertise;
  if (host !== '0.0.0.0' && host !== '::') return url;
  const external = Object.values(networkInterfaces())
    .flat()
    .find((entry) => entry !== undefined && entry.family === 'IPv4' && !entry.internal);
  if (external === undefined) return url;
  const address = new URL(url);
  address.hostname = external.address;
  return address.origin;
}
