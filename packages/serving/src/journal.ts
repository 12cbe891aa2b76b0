/**
 * Writes down what was decided and why: durably in the state's history, and at once on the event
 * bus. A history that cannot be written must not stop serving, so a failed write is only logged.
 */
import type { HistoryEntry, State } from '@skein/state';
import type { EventBus, ServingEvent } from './events.ts';
import type { ServingLog } from './serving-log.ts';

export interface Journal {
  /** @param actor the API key's id, `local`, or `skein` for what the node decides by itself. */
  record(entry: Omit<HistoryEntry, 'id' | 'at'>): void;
  /** Resolves when everything recorded so far has been written. */
  settled(): Promise<void>;
}

const EVENT_KINDS: Record<HistoryEntry['kind'], ServingEvent['kind']> = {
  deployed: 'deployment',
  'settings-changed': 'deployment',
  undeployed: 'deployment',
  'rollout-started': 'rollout',
  'rollout-step': 'rollout',
  'rollout-finished': 'rollout',
  'rolled-back': 'rollout',
  scaled: 'scaling',
  'replica-lost': 'replica',
};

export function createJournal(state: State, events: EventBus, log: ServingLog): Journal {
  // One write after the other, so that the history has the order in which things happened.
  let last: Promise<unknown> = Promise.resolve();
  return {
    record(entry) {
      events.publish({
        kind: EVENT_KINDS[entry.kind],
        deployment: entry.deployment,
        reason: entry.reason,
        details: { ...entry.details, happened: entry.kind, actor: entry.actor },
      });
      last = last
        .then(() => state.addHistory(entry))
        .catch((error: unknown) =>
          log('The history could not be written.', { deployment: entry.deployment, error }),
        );
    },
    async settled() {
      await last;
    },
  };
}
