/** What forwarding has done since the node started; counts only grow. */

export interface ForwardingCounters {
  /** Probes by what the member said. */
  readonly probes: Record<'in_time' | 'late' | 'silent', number>;
  /** Forwarded requests by what became of them. */
  readonly forwards: Record<'answered' | 'refused' | 'failed' | 'lost', number>;
  /** Refused requests that stayed refused, by the reason. */
  readonly refused: Record<'no_holder' | 'fleet_full' | 'no_taker' | 'lost', number>;
  /** Requests that took long and were to be sent a second time, by the copy that answered. */
  readonly hedges: Record<'first' | 'second' | 'neither' | 'no_taker', number>;
  /** Hedged requests of which both copies ran. */
  duplicates: number;
  /** Requests that ran a second time after the member that ran them was lost. */
  repeated: number;
}

export function newCounters(): ForwardingCounters {
  return {
    probes: { in_time: 0, late: 0, silent: 0 },
    forwards: { answered: 0, refused: 0, failed: 0, lost: 0 },
    refused: { no_holder: 0, fleet_full: 0, no_taker: 0, lost: 0 },
    hedges: { first: 0, second: 0, neither: 0, no_taker: 0 },
    duplicates: 0,
    repeated: 0,
  };
}
