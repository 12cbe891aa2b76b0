/**
 * The constants of placement and routing, with their units and reasons. docs/concepts/fleet.md shows
 * what each constant of routing is worth when it is halved and doubled.
 */
export const routing = {
  /** Members that one round asks. Two is where most of the gain is (Mitzenmacher 1996); each more costs a message. */
  probes: 2,
  /** Rounds for one request. Each finds a taker with the share of members that have capacity. */
  rounds: 3,
  /** Share of the remaining time that a round waits for its probes: a dead member costs no more than that. */
  probeShare: 0.2,
  /** Rounds that the memory of their success reaches back. Below it, a fleet that fills up is noticed late. */
  successRounds: 50,
  /** Share of the refused requests that still ask while no round succeeds: so that the end of an overload is noticed. */
  leastAsking: 0.05,
};

/** For how long a member that refused for lack of capacity is not asked again. */
export const HOLD_OFF = {
  /** At most, in milliseconds: its capacity grows with new replicas, which its answer cannot foresee. */
  longestMs: 250,
  /** Kinds of requests that are remembered of a member. */
  kinds: 1000,
};

/** When a member is left out that does not answer, in milliseconds. */
export const CIRCUIT_MS = {
  /** Until one that has not answered a probe counts as silent, however little time the request had: an event loop may stand still for as long. */
  silence: 250,
  /** Time after which it is asked again: the first, and the longest. */
  first: 250,
  longest: 8_000,
};

/** How far above the mean fill a member may be filled; a quarter moves few versions and still spreads (Mirrokni 2018). */
export const PLACEMENT_SLACK = 0.25;

/** A loaded version stays for so long, in milliseconds: a load costs seconds, and an unload must be worth one. */
export const MIN_RESIDENCY_MS = 60_000;
