/**
 * Which member of a fleet holds which version, and which one answers a request: policies without
 * I/O, and the connections between members around them.
 */
export type { ForwardingCounters } from './forwarding/counters.ts';
export {
  forwardRefused,
  type Forwarding,
  type ForwardingOptions,
} from './forwarding/forwarding.ts';
export type { FleetMember } from './forwarding/holders.ts';
export { acceptLink } from './link/accept-link.ts';
export { asksForLink, MIN_KEY_LENGTH } from './link/handshake.ts';
export { openLink, type LinkOptions } from './link/open-link.ts';
export type { ForwardedChange } from './link/messages.ts';
export { Peer, type PeerOptions } from './link/peer.ts';
export { servePeer, type LocalNode, type ServePeersOptions } from './link/serve-peers.ts';
export {
  decideHoldings,
  memoryOf,
  unplacedNumbers,
  placeDeployments,
  evictionFor,
  type Holding,
  type MemberHoldings,
  type PlacedDeployment,
  type Eviction,
} from './placement/holdings.ts';
export {
  place,
  type Placement,
  type PlacementMember,
  type PlacementVersion,
  type Unplaced,
} from './placement/placement.ts';
export {
  leastRecentAgeMs,
  planResidency,
  type Resident,
  type ResidencyPlan,
  type WantedVersion,
} from './placement/residency.ts';
export { afterFailure, CLOSED, isAsked, type Circuit } from './routing/circuit.ts';
export {
  asks,
  nextProbes,
  probeTimeoutMs,
  successAfter,
  takers,
  type Quote,
  type RouteState,
} from './routing/route.ts';
