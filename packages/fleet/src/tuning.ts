/**
 * The constants of placement and routing, with their units and reasons. docs/concepts/fleet.md shows
 * what each constant of routing is worth when it is halved and doubled.
 */
export const routing = {
  /** Members that one round asks. Two is where most of the gain is (Mitzenmacher 1996); each more costs a message. */
  probes: 2,
  /** Rounds for one request. Each finds a taker with the share of members that have room. */
  rounds: 3,
  /** Share of the remaining time that a round waits for its probes: a dead member costs no more than that. */
  probeShare: 0.2,
  /** Rounds that the memory of their success reaches back. Below it, a fleet that fills up is noticed late. */
  successRounds: 50,
  /** Share of the refused requests that still ask while no round succeeds: so that the end of an overload is noticed. */
  leastAsking: 0.05,
};

/** Time after which a member that did not answer is asked again, in milliseconds: the first, and the longest. */
export const CIRCUIT_MS = { first: 250, longest: 8_000 };

/** How far above the mean fill a member may be filled; a quarter moves few versions and still spreads (Mirrokni 2018). */
export const PLACEMENT_SLACK = 0.25;

/** A loaded version stays for so long, in milliseconds: a load costs seconds, and an unload must be worth one. */
export const MIN_RESIDENCY_MS = 60_000;
