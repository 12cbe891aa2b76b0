/** One contract for threads and child processes. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { startOnDemand, startProcess, startThread, WorkerLost } from './index.ts';
import type { ProcessOptions } from './process.ts';
import type { ContractCalls, TestCalls } from './testing/contract-worker.ts';
import { Refusal } from './testing/refusal.ts';

const ENTRY = new URL('./testing/contract-worker.ts', import.meta.url);
const serves: TestCalls = {
  double: (x) => 2 * x,
  refuse(code) {
    throw new Refusal(code, 'The starter refuses.', []);
  },
};
const errors = [Refusal];

const starts = {
  thread: (also: Partial<ProcessOptions>) =>
    startThread<ContractCalls>(ENTRY, { name: 'tried', serves, errors, ...also }),
  process: (also: Partial<ProcessOptions>) =>
    startProcess<ContractCalls>(ENTRY, { name: 'tried', serves, errors, ...also }),
};

describe.each(['thread', 'process'] as const)('a worker in a %s', (kind) => {
  let started: { stop(): Promise<void> }[] = [];
  const start = (also: Partial<ProcessOptions> = {}) => {
    const worker = starts[kind](also);
    started.push(worker);
    return worker;
  };
  afterEach(async () => {
    await Promise.all(started.map((worker) => worker.stop()));
    started = [];
  });
  const failure = (call: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
    call.then(
      () => expect.unreachable('the call was answered'),
      (error: unknown) => error as Error & Record<string, unknown>,
    );

  it('answers calls that overlap, each with its own result', async () => {
    const worker = start();
    const slow = worker.call('later', 50);
    expect(await worker.call('add', { a: 1, b: 2 })).toBe(3);
    expect(await worker.call('nothing', undefined)).toBeUndefined();
    expect(await slow).toBe(50);
  });

  it('keeps the class, code, fields and causes of an error that is named', async () => {
    const error = await failure(start().call('refuse', 'FULL'));
    expect(error).toBeInstanceOf(Refusal);
    expect(error).toMatchObject({ code: 'FULL', message: 'No capacity.', details: [{ free: 0 }] });
    expect(error.stack).toContain('contract-worker.ts');
    expect(error.cause).toBeInstanceOf(Refusal);
    const root = (error.cause as Error).cause;
    expect(root).toMatchObject({ name: 'RangeError', message: 'the disk has 0 bytes' });
    expect(root).toBeInstanceOf(Error);
  });

  it('makes a fault of an error whose class is not named, or does not accept its fields', async () => {
    const worker = start();
    expect(await failure(worker.call('refuse', 'UNKNOWN'))).not.toBeInstanceOf(Refusal);
    const fault = await failure(worker.call('refuseLater', undefined));
    expect(fault).toMatchObject({ name: 'TypeError', message: 'a fault' });
    expect(await failure(worker.call('refuseText', undefined))).toMatchObject({
      message: 'only text',
    });
    expect(await failure(worker.call('refuseObject', undefined))).toMatchObject({
      message: '[object Object]',
    });
    expect(await worker.call('add', { a: 1, b: 2 })).toBe(3);
  });

  it('refuses what it does not serve and what cannot be sent, and continues', async () => {
    const worker = start();
    for (const name of ['missing', 'constructor', 'toString']) {
      const call = worker.call(name as 'add', { a: 1, b: 1 });
      await expect(call).rejects.toThrow(`No function "${name}" is served.`);
    }
    await expect(worker.call('unclonable', undefined)).rejects.toThrow(/could not be cloned/);
    await expect(worker.call('add', { a: 1, b: () => 1 } as never)).rejects.toThrow(/cloned/);
    expect(await worker.call('add', { a: 1, b: 2 })).toBe(3);
  });

  it('sends a stream in order, as far ahead as its window', async () => {
    const worker = start();
    const items: number[] = [];
    for await (const item of worker.stream('countTo', 1000)) {
      items.push(item);
      if (items.length !== 3) continue;
      const ahead = await worker.call('produced', undefined);
      expect(ahead).toBeGreaterThan(3);
      expect(ahead).toBeLessThan(100);
    }
    expect(items).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
  });

  it('fails a stream after its last item', async () => {
    const items: number[] = [];
    const read = async () => {
      for await (const item of start().stream('failAfter', 2)) items.push(item);
    };
    expect(await failure(read())).toBeInstanceOf(Refusal);
    expect(items).toEqual([1, 2]);
  });

  it('cancels a stream that is left, or whose signal is aborted', async () => {
    const worker = start();
    for await (const item of worker.stream('endless', undefined)) if (item === 2) break;
    await expect.poll(() => worker.call('cancellations', undefined)).toBe(1);
    const giveUp = new AbortController();
    const read = async () => {
      for await (const item of worker.stream('endless', undefined, { signal: giveUp.signal })) {
        if (item === 2) giveUp.abort(new Error('enough'));
      }
    };
    await expect(read()).rejects.toThrow('enough');
    await expect.poll(() => worker.call('cancellations', undefined)).toBe(2);
  });

  it('cancels a call: it rejects at once, and its function is notified', async () => {
    const worker = start();
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const waiting = worker.call('wait', undefined, { signal });
    giveUp.abort(new Error('no longer needed'));
    await expect(waiting).rejects.toThrow('no longer needed');
    await expect(worker.call('wait', undefined, { signal })).rejects.toThrow('no longer needed');
    expect(await worker.call('cancellations', undefined)).toBe(1);
  });

  it('rejects a cancelled call once it is confirmed, where the caller asks so', async () => {
    const worker = start();
    const giveUp = new AbortController();
    const blocked = worker.call('block', 100);
    const waiting = worker.call('wait', undefined, { signal: giveUp.signal, confirm: true });
    giveUp.abort(new Error('no longer needed'));
    const settled: string[] = [];
    const both = [blocked.then(() => 'blocked'), waiting.catch(() => 'cancelled')];
    await Promise.all(both.map(async (each) => settled.push(await each)));
    expect(settled).toEqual(['blocked', 'cancelled']);
  });

  it('calls functions of its starter, with the same errors', async () => {
    const worker = start();
    expect(await worker.call('askDouble', 21)).toBe(42);
    expect(await worker.call('askRefusal', 'FULL')).toEqual([true, 'The starter refuses.']);
    expect(await worker.call('askRefusal', 'OTHER')).toEqual([false, 'The starter refuses.']);
  });

  it('rejects all calls in flight and all later ones with one error when it exits', async () => {
    const worker = start();
    const calls = [worker.call('wait', undefined), worker.call('exit', 7)];
    const [first, second] = await Promise.all(calls.map(failure));
    expect(first).toBeInstanceOf(WorkerLost);
    expect(first).toMatchObject({
      reason: 'exited',
      message: expect.stringMatching(
        /^The (thread|process) tried ended with exit code 7/,
      ) as string,
    });
    expect(second).toBe(first);
    expect(await worker.ended).toBe(first);
    expect(await failure(worker.call('nothing', undefined))).toBe(first);
    await worker.stop();
  });

  it('gives the reason of a crash in the middle of a call', async () => {
    const worker = start();
    const [first] = await Promise.all(
      [worker.call('wait', undefined), worker.call('crash', undefined)].map(failure),
    );
    expect(first).toBeInstanceOf(WorkerLost);
    expect(first!.message).toContain('boom');
  });

  it('is ended by stop, whatever it does, and calls in flight reject', async () => {
    const worker = start();
    await worker.call('nothing', undefined);
    const stuck = failure(worker.call('loop', undefined));
    const stopped = worker.stop(50);
    expect(await stuck).toMatchObject({ name: 'WorkerLost', reason: 'stopped' });
    await stopped;
    await worker.stop();
    expect(await worker.ended).toMatchObject({ reason: 'stopped' });
  });

  it('exits without force when it is asked in time', async () => {
    const worker = start();
    await worker.call('nothing', undefined);
    await worker.stop(Infinity);
    expect(await worker.ended).toMatchObject({ reason: 'stopped' });
  });

  it('is ended when it does not confirm a cancellation', async () => {
    const worker = start({ stuckAfterMs: 50 });
    await worker.call('nothing', undefined);
    const other = failure(worker.call('wait', undefined));
    const giveUp = new AbortController();
    const looping = worker.call('loop', undefined, { signal: giveUp.signal, confirm: true });
    giveUp.abort();
    expect(await failure(looping)).toMatchObject({ name: 'WorkerLost', reason: 'stuck' });
    expect(await other).toMatchObject({ reason: 'stuck' });
  });

  it('is not ended when it confirms in time', async () => {
    const worker = start({ stuckAfterMs: 2_000 });
    await worker.call('nothing', undefined);
    const giveUp = new AbortController();
    const waiting = worker.call('wait', undefined, { signal: giveUp.signal, confirm: true });
    giveUp.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(await worker.call('add', { a: 1, b: 1 })).toBe(2);
  });

  it('is started on demand, and again after its end', async () => {
    let starts = 0;
    const demand = startOnDemand(() => {
      starts++;
      return start();
    });
    expect(starts).toBe(0);
    await Promise.all([demand.get().call('nothing', undefined), demand.get().call('later', 1)]);
    expect(starts).toBe(1);
    await expect(demand.get().call('exit', 1)).rejects.toThrow(WorkerLost);
    await expect
      .poll(() =>
        demand
          .get()
          .call('add', { a: 2, b: 2 })
          .catch(() => 0),
      )
      .toBe(4);
    expect(starts).toBe(2);
    await demand.stop();
  });

  it('keeps no process alive while no call is in flight', () => {
    const script = `
      import { startThread, startProcess } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
      const start = ${kind === 'thread' ? 'startThread' : 'startProcess'};
      const worker = start(new URL(${JSON.stringify(ENTRY.href)}), { name: 'idle' });
      console.log(await worker.call('later', 20));`;
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 30_000,
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([0, '20\n']);
  });

  it('receives and returns bytes', async () => {
    const worker = start();
    const bytes = Uint8Array.of(1, 2, 3);
    expect(await worker.call('total', bytes, { transfer: [bytes.buffer] })).toBe(6);
    // A child process receives a copy.
    expect(bytes.byteLength).toBe(kind === 'thread' ? 0 : 3);
    const back = await worker.call('bytes', 4);
    expect([...back]).toEqual([7, 7, 7, 7]);
    if (kind === 'thread') {
      await expect(worker.call('total', bytes, { transfer: [bytes.buffer] })).rejects.toThrow(
        /transfer/,
      );
    }
    expect(await worker.call('total', Uint8Array.of(4))).toBe(4);
  });
});

describe('a thread', () => {
  it('that exceeds its heap is lost for memory', async () => {
    const thread = startThread<ContractCalls>(ENTRY, { name: 'small', heapMib: 16 });
    onTestFinished(() => thread.stop());
    const filling = thread.call('fillHeap', undefined);
    await expect(filling).rejects.toMatchObject({ name: 'WorkerLost', reason: 'memory' });
  });

  it('with native code is never terminated: stop waits for its call', async () => {
    const thread = startThread<ContractCalls>(ENTRY, { name: 'native', native: true });
    await thread.call('nothing', undefined);
    const begun = performance.now();
    const blocked = thread.call('block', 200);
    await Promise.all([expect(blocked).rejects.toThrow(WorkerLost), thread.stop()]);
    expect(performance.now() - begun).toBeGreaterThan(150);
  });

  it('delivers an answer when it is polled, before the event loop does', async () => {
    const thread = startThread<ContractCalls>(ENTRY, { name: 'polled', native: true });
    onTestFinished(() => thread.stop());
    await thread.call('nothing', undefined);
    let answer: number | undefined;
    void thread.call('add', { a: 1, b: 2 }).then((sum) => (answer = sum));
    // Only microtasks run here, so no event of the loop can deliver it.
    while (answer === undefined) {
      thread.poll();
      await Promise.resolve();
    }
    expect(answer).toBe(3);
  });

  it('whose entry cannot be loaded rejects its calls with the reason', async () => {
    const thread = startThread<ContractCalls>(new URL('./missing.ts', import.meta.url), {
      name: 'missing',
    });
    await expect(thread.call('nothing', undefined)).rejects.toThrow(/Cannot find module/);
  });
});

describe('a process whose memory is bounded', () => {
  it.each([true, false])('answers, and refuses what it cannot send: native %s', async (native) => {
    const options = { name: 'bounded', maxMemoryBytes: 2 ** 30, native };
    const worker = startProcess<ContractCalls>(ENTRY, options);
    onTestFinished(() => worker.stop());
    const unclonable = (() => 1) as unknown as number;
    const refused = worker.call('add', { a: unclonable, b: 1 });
    const answered = worker.call('add', { a: 1, b: 2 });
    await expect(refused).rejects.toThrow(/could not be cloned/);
    expect(await answered).toBe(3);
  });
});
