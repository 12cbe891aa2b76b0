import { describe, expect, it } from 'vitest';
import { createEventBus, type ServingEvent } from './events.ts';

const event = (deployment: string): Omit<ServingEvent, 'id' | 'at'> => ({
  kind: 'scaling',
  deployment,
  reason: 'because',
  details: {},
});

describe('the event bus', () => {
  it('delivers every event from the subscription on, in order, until it ends', () => {
    const bus = createEventBus();
    const seen: string[] = [];
    bus.publish(event('before'));
    const end = bus.subscribe(({ id, deployment }) => seen.push(`${id} ${deployment}`));
    bus.publish(event('a'));
    bus.publish(event('b'));
    end();
    bus.publish(event('after'));
    expect(seen).toEqual(['2 a', '3 b']);
  });

  it('replays the events that a client missed, as far as they are kept', () => {
    const bus = createEventBus(3);
    for (const name of ['a', 'b', 'c', 'd', 'e']) bus.publish(event(name));
    const since = (after: number): number[] => {
      const seen: number[] = [];
      bus.subscribe(({ id }) => seen.push(id), after)();
      return seen;
    };
    expect(since(3)).toEqual([4, 5]);
    expect(since(0)).toEqual([3, 4, 5]);
    expect(since(5)).toEqual([]);
  });

  it('drops a listener that throws, and keeps the others', () => {
    const bus = createEventBus();
    const seen: number[] = [];
    let thrown = 0;
    bus.subscribe(() => {
      thrown++;
      throw new Error('gone');
    });
    bus.subscribe(({ id }) => seen.push(id));
    bus.publish(event('a'));
    bus.publish(event('b'));
    expect(seen).toEqual([1, 2]);
    expect(thrown).toBe(1);
  });

  it('counts one function that subscribes twice as two subscriptions', () => {
    const bus = createEventBus();
    let calls = 0;
    const listener = (): void => void calls++;
    const end = bus.subscribe(listener);
    bus.subscribe(listener);
    bus.publish(event('a'));
    end();
    bus.publish(event('b'));
    expect(calls).toBe(3);
  });
});
