import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { unlessAborted, within } from './waits.ts';

const never = new Promise<never>(() => {});

describe('unlessAborted', () => {
  it('settles as the promise does, and leaves no listener', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(unlessAborted(Promise.reject(new Error('own')), signal)).rejects.toThrow('own');
    expect(await unlessAborted(Promise.resolve(2), undefined)).toBe(2);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects with the reason of a signal that is aborted meanwhile, or was before', async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(never, controller.signal);
    controller.abort(new Error('left'));
    await expect(waiting).rejects.toThrow('left');
    await expect(unlessAborted(never, controller.signal)).rejects.toThrow('left');
  });

  it('leaves no unhandled rejection of work that fails later', async () => {
    const work = Promise.withResolvers<void>();
    const waiting = unlessAborted(work.promise, AbortSignal.abort(new Error('left')));
    await expect(waiting).rejects.toThrow('left');
    work.reject(new Error('later'));
    await new Promise(setImmediate);
  });
});

describe('within', () => {
  it('settles as the promise does, and then never reports that it is late', async () => {
    const late = vi.fn<() => void>();
    expect(await within(Promise.resolve(1), 0, late)).toBe(1);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    expect(late).not.toHaveBeenCalled();
  });

  it('settles as `late` does when it takes longer', async () => {
    expect(await within(never, 1, () => 'late')).toBe('late');
    const late = within(never, 1, () => {
      throw new Error('too late');
    });
    await expect(late).rejects.toThrow('too late');
  });

  it('waits where the time is longer than a timer can be', async () => {
    const soon = new Promise((resolve) => void setTimeout(resolve, 20, 'in time'));
    expect(await within(soon, 2 ** 31, () => 'late')).toBe('in time');
  });

  it('takes a time that is over already without a warning of Node', async () => {
    const warned = vi.spyOn(process, 'emitWarning');
    expect(await within(never, -5, () => 'late')).toBe('late');
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });
});
