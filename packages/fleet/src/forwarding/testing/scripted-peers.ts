/** A node and the members that it forwards to, without sockets: the test gives the answers. */
import { type ErrorCode, SkeinError } from '@skein/api';
import {
  Cancellation,
  type DeployedModel,
  type InferenceRequest,
  type Prediction,
} from '@skein/serving';
import type { QuoteMeta } from '../../link/messages.ts';
import type { Outcome, Peer } from '../../link/peer.ts';
import { Refusals } from '../../routing/refusals.ts';
import { forwardRefused } from '../forwarding.ts';
import type { FleetMember } from '../holders.ts';
import { request, riskModel } from './requests.ts';
import { full } from './scripted-node.ts';

export const refusal = (code: ErrorCode, retryAfterMs?: number): SkeinError =>
  new SkeinError(code, `${code}.`, retryAfterMs === undefined ? {} : { retryAfterMs });

/** Would be in time, and takes what it is sent without an answer. */
export class ScriptedPeer {
  readonly refusals = new Refusals();
  readonly sent: InferenceRequest[] = [];
  probes = 0;
  /** How long the last probe could wait, in milliseconds. */
  waitsMs = 0;
  roundTripMs = 0;
  isClosed = false;
  isLeftOut = false;
  quote: () => QuoteMeta | undefined | Promise<QuoteMeta | undefined> = () => ({ finishMs: 10 });
  outcome: (asked: InferenceRequest) => Outcome | Promise<Outcome> = () => new Promise(() => {});

  isAsked(): boolean {
    return !this.isLeftOut;
  }

  async probe(_asked: InferenceRequest, timeoutMs: number): Promise<QuoteMeta | undefined> {
    this.probes++;
    this.waitsMs = timeoutMs;
    return this.quote();
  }

  async forward(asked: InferenceRequest): Promise<Outcome> {
    this.sent.push(asked);
    return this.outcome(asked);
  }

  close(): void {
    this.isClosed = true;
  }
}

export const memberOf = (incarnation: string, version = '3'): FleetMember => ({
  incarnation,
  address: incarnation,
  loaded: [{ model: 'risk', version, digest: 'd' }],
});

export interface ScriptedPeersOptions {
  readonly model?: Partial<DeployedModel>;
  /** Whether this node does not know the deployment that the members hold. */
  readonly isUnknown?: boolean;
}

/** A node that refuses, with so many other members that hold the model. */
export function nodeWithPeers(
  count: number,
  { model = {}, isUnknown = false }: ScriptedPeersOptions = {},
) {
  const peers = Array.from({ length: count }, () => new ScriptedPeer());
  const described = riskModel(model);
  const node = {
    behave: full,
    prediction: (): Prediction => ({ refusal: refusal('QUEUE_FULL') }),
    /** The result of every draw. */
    random: 0.5,
    members: ['self', ...peers.keys()].map((member) => memberOf(`${member}`)),
    /** Addresses to which connections were opened. */
    opened: [] as string[],
  };
  const forwarding = forwardRefused({
    local: {
      infer: (asked) => node.behave(asked),
      predict: () => node.prediction(),
      describe() {
        if (isUnknown) throw refusal('MODEL_UNKNOWN');
        return described;
      },
      list: () => [described],
      isReady: () => true,
    },
    members: () => node.members,
    self: () => 'self',
    open(address) {
      node.opened.push(address);
      return peers[Number(address)] as unknown as Peer;
    },
    clock: { now: () => performance.now() },
    random: () => node.random,
  });
  const ask = (more: Partial<InferenceRequest> = {}) =>
    forwarding.inference.infer(request({ cancellation: new Cancellation(), ...more }));
  const refusedBy = (promise: Promise<unknown>): Promise<SkeinError> =>
    promise.then(
      () => Promise.reject(new Error('It was answered.')),
      (error: SkeinError) => error,
    );
  return { ask, refusedBy, node, peers, forwarding, counters: forwarding.counters };
}
