/**
 * Records decisions and their reasons: in the state's history, and at once on the event bus. A
 * failed write to the history must not stop serving, so it is only logged.
 */
import type { HistoryEntry, State } from '@skein/state';
import type { EventBus, ServingEvent } from './events.ts';
import type { ServingLog } from '../serving-log.ts';

const EVENT_KINDS: Record<HistoryEntry['kind'], ServingEvent['kind']> = {
  deployed: 'deployment',
  'settings-changed': 'deployment',
  unloaded: 'deployment',
  undeployed: 'deployment',
  'rollout-started': 'rollout',
  'rollout-step': 'rollout',
  'rollout-finished': 'rollout',
  'rolled-back': 'rollout',
  scaled: 'scaling',
  'replica-lost': 'replica',
};

export function createJournal(state: State, events: EventBus, log: ServingLog) {
  // One write after another, so that the history has the order of events.
  let last: Promise<unknown> = Promise.resolve();
  return {
    /** @param actor the API key's id, `local`, or `skein` for decisions of the node itself. */
    record(entry: Omit<HistoryEntry, 'id' | 'at'>): void {
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
    /** Resolves when all records so far have been written. */
    async settled(): Promise<void> {
      await last;
    },
  };
}

export type Journal = ReturnType<typeof createJournal>;
