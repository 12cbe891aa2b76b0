/**
 * Routes a request that its own node refuses: two members that hold the version are asked for a
 * predicted finish, and the better one takes it if that is in time. A refusal proves that nothing
 * ran, so further rounds ask other members while time is left.
 *
 * The answers are fresh: they are asked for this request, with its shape and its deadline. A choice
 * by load that was broadcast sends every node to the same idle member (docs/concepts/fleet.md).
 *
 * When the whole fleet is full, rounds find no taker and cost messages. Then only a share of the
 * requests that a full node refuses asks, in proportion to the recent success. A node that does not
 * hold what is asked for always asks.
 */
import { routing } from '../tuning.ts';

/** A member's answer to a probe. */
export interface Quote {
  readonly member: string;
  /** Predicted time until the answer, in milliseconds; absent: it would refuse. */
  readonly finishMs: number | undefined;
}

export interface RouteState {
  /** Members that have been asked for this request. */
  readonly asked: ReadonlySet<string>;
  readonly rounds: number;
  readonly leftMs: number;
}

/**
 * The members to ask next; none: the refusal is final.
 * @param holders members that hold the version and are worth asking.
 */
export function nextProbes(
  { asked, rounds, leftMs }: RouteState,
  holders: readonly string[],
  random: () => number,
): string[] {
  if (rounds >= routing.rounds || leftMs <= 0) return [];
  const picked: string[] = [];
  // Few holders, or most of them asked: list what is left. Otherwise draw until two are new.
  if (holders.length <= 2 * (asked.size + routing.probes)) {
    const left = holders.filter((holder) => !asked.has(holder));
    while (left.length > 0 && picked.length < routing.probes) {
      picked.push(...left.splice(Math.floor(random() * left.length), 1));
    }
    return picked;
  }
  while (picked.length < routing.probes) {
    const holder = holders[Math.floor(random() * holders.length)]!;
    if (!asked.has(holder) && !picked.includes(holder)) picked.push(holder);
  }
  return picked;
}

/** Quotes of the members that would be in time, the earliest finish first. */
export function takers(quotes: readonly Quote[], leftMs: number): Quote[] {
  return quotes
    .filter(({ finishMs }) => finishMs !== undefined && finishMs <= leftMs)
    .sort((a, b) => a.finishMs! - b.finishMs!);
}

/** How long a round waits for its probes, in milliseconds. */
export function probeTimeoutMs(leftMs: number): number {
  return leftMs * routing.probeShare;
}

/** Whether this refused request asks other members. @param success recent share of rounds with a taker. */
export function asks(success: number, random: number): boolean {
  return random < Math.max(routing.leastAsking, Math.min(1, 2 * success));
}

/** The share of rounds with a taker after one more round. */
export function successAfter(success: number, found: boolean): number {
  return success + ((found ? 1 : 0) - success) / routing.successRounds;
}
