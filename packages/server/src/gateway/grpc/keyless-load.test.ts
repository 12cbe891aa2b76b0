import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchKeylessLoad } from './keyless-load.ts';

describe('the load of calls without a key', () => {
  const changes: boolean[] = [];
  let load: ReturnType<typeof watchKeylessLoad>;
  const call = (times: number): void => {
    for (let count = 0; count < times; count++) load.count();
  };

  beforeEach(() => {
    vi.useFakeTimers();
    changes.length = 0;
    load = watchKeylessLoad((heavy) => changes.push(heavy));
  });
  afterEach(() => {
    load.close();
    vi.useRealTimers();
  });

  it('is not heavy where probes call', () => {
    for (let window = 0; window < 40; window++) {
      call(24);
      vi.advanceTimersByTime(250);
    }
    expect(changes).toEqual([]);
  });

  it('is heavy at once, and until a window has few calls', () => {
    call(25);
    expect(changes).toEqual([true]);
    call(100);
    vi.advanceTimersByTime(250);
    call(30);
    vi.advanceTimersByTime(250);
    expect(changes).toEqual([true]);
    call(3);
    vi.advanceTimersByTime(250);
    expect(changes).toEqual([true, false]);
  });
});
