/** Counts of forwarding since the node started; they only grow. */
export function newCounters() {
  return {
    /** Probes by the member's answer. */
    probes: { in_time: 0, late: 0, silent: 0 },
    /** Forwarded requests by their outcome. */
    forwards: { answered: 0, refused: 0, failed: 0, lost: 0 },
    /** Refused requests that stayed refused, by the reason. */
    refused: { no_holder: 0, fleet_full: 0, no_taker: 0, lost: 0 },
    /** Requests that ran a second time after the member that ran them was lost. */
    repeated: 0,
  };
}

export type ForwardingCounters = ReturnType<typeof newCounters>;
