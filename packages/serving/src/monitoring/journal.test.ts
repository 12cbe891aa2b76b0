import { describe, expect, it } from 'vitest';
import { openSqliteState } from '@skein/state';
import { createEventBus, type ServingEvent } from './events.ts';
import { createJournal } from './journal.ts';

const entry = (reason: string) =>
  ({ deployment: 'risk', kind: 'scaled', reason, details: { from: 1 }, actor: 'skein' }) as const;

describe('the journal', () => {
  it('writes the history in the order of events, and publishes each at once', async () => {
    const state = await openSqliteState(':memory:');
    const bus = createEventBus();
    const published: ServingEvent[] = [];
    bus.subscribe((event) => published.push(event));
    const journal = createJournal(state, bus, () => {});
    for (let i = 0; i < 20; i++) journal.record(entry(`step ${i}`));
    expect(published).toHaveLength(20);
    expect(published[3]).toMatchObject({
      kind: 'scaling',
      reason: 'step 3',
      details: { from: 1, happened: 'scaled', actor: 'skein' },
    });
    await journal.settled();
    const written = await state.history({ deployment: 'risk', limit: 50 });
    expect(written.map(({ reason }) => reason).reverse()).toEqual(
      published.map(({ reason }) => reason),
    );
    await state.close();
  });

  it('survives a state that cannot write, and logs the failure', async () => {
    const state = await openSqliteState(':memory:');
    await state.close();
    const logged: unknown[] = [];
    const journal = createJournal(state, createEventBus(), (_, { error }) => logged.push(error));
    journal.record(entry('lost'));
    journal.record(entry('lost too'));
    await journal.settled();
    expect(logged).toHaveLength(2);
  });
});
