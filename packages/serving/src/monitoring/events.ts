/**
 * Live events of the serving plane, for the server-sent events of the management API. The last few
 * events are kept, so that a client that reconnects with the id of its last event misses none,
 * unless the buffer has dropped some.
 *
 * Listeners run synchronously and must not throw; a listener that throws is removed.
 */
export interface ServingEvent {
  /** Increases by one from 1 while the node lives. */
  readonly id: number;
  /** ISO 8601 in UTC. */
  readonly at: string;
  /**
   * `deployment`: created, changed, failed or gone. `scaling`: a decision of the autoscaler.
   * `rollout`: a rollout moved to another phase or step. `replica`: a replica changed its state.
   */
  readonly kind: 'deployment' | 'scaling' | 'rollout' | 'replica';
  readonly deployment: string;
  readonly reason: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export type EventListener = (event: ServingEvent) => void;

/** @param remembered number of events kept for replay. */
export function createEventBus(remembered = 256) {
  const recent: ServingEvent[] = [];
  const listeners = new Set<EventListener>();
  let lastId = 0;

  const deliver = (listener: EventListener, event: ServingEvent): void => {
    try {
      listener(event);
    } catch {
      listeners.delete(listener);
    }
  };

  return {
    publish(event: Omit<ServingEvent, 'id' | 'at'>): void {
      const complete: ServingEvent = { id: ++lastId, at: new Date().toISOString(), ...event };
      recent.push(complete);
      if (recent.length > remembered) recent.shift();
      for (const listener of listeners) deliver(listener, complete);
    },
    /**
     * Calls `listener` for every later event.
     *
     * @param after first replays the kept events with a larger id, before this method returns.
     * @returns ends the subscription.
     */
    subscribe(listener: EventListener, after?: number): () => void {
      // A separate object per subscription: the same function may subscribe twice.
      const own: EventListener = (event) => listener(event);
      listeners.add(own);
      if (after !== undefined) {
        for (const event of recent) if (event.id > after) deliver(own, event);
      }
      return () => void listeners.delete(own);
    },
  };
}

export type EventBus = ReturnType<typeof createEventBus>;
