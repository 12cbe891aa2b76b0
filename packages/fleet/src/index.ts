/**
 * Which member of a fleet holds which version, and which one answers a request: policies without
 * I/O, and the connections between members around them.
 */
export { forwardRefused, type Forwarding } from './forwarding/forwarding.ts';
export type { FleetMember } from './forwarding/holders.ts';
export { acceptLink } from './link/accept-link.ts';
export { asksForLink, MIN_KEY_LENGTH } from './link/handshake.ts';
export { openLink, type LinkOptions } from './link/open-link.ts';
export type { ForwardedChange } from './link/messages.ts';
export { Peer } from './link/peer.ts';
export { servePeer } from './link/serve-peers.ts';
export {
  decideHoldings,
  memoryOf,
  unplacedNumbers,
  placeDeployments,
  evictionFor,
  type MemberHoldings,
  type PlacedDeployment,
} from './placement/holdings.ts';
export { place } from './placement/placement.ts';
export { leastRecentAgeMs, planResidency } from './placement/residency.ts';
export { type Circuit } from './routing/circuit.ts';
export { asks, nextProbes, takers } from './routing/route.ts';
