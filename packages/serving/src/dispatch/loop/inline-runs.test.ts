/** Runs of lone requests on the thread of the loop. */
import { setImmediate as turn } from 'node:timers/promises';
import { GraphBuilder, writeModel } from '@skein/onnx';
import { nativeRuntime, type InlineSession, type Runtime } from '@skein/runtime';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { MLP, numbersOf, request, row, serve } from '../testing/harness.ts';
import type { Ticket } from '../queue/ticket.ts';
import { replicaTuning } from '../replica-tuning.ts';
import { InlineRuns } from './inline-runs.ts';
import { LoopThread } from './loop-thread.ts';

const { loneRequests, longestMs, nodes, replicaEveryMs, replicaEveryRuns, unusedMs } =
  replicaTuning.inline;

/** On a busy machine a run may take longer than one here may, many times. */
const OFTEN = { interval: 1, timeout: 10_000 };

/** ONNX Runtime, which notes what runs on the thread of its caller. */
function watched() {
  const seen = { opened: 0, closed: 0, runs: 0 };
  const runtime: Runtime = {
    ...nativeRuntime,
    async openInline(model, options) {
      const session = await nativeRuntime.openInline!(model, options);
      seen.opened++;
      return {
        run(feeds, outputs) {
          seen.runs++;
          return session.run(feeds, outputs);
        },
        close() {
          seen.closed++;
          session.close();
        },
      };
    },
  };
  return { seen, runtime };
}

describe('a version', () => {
  test('runs lone requests here, with the same answers, and closes its session at the end', async () => {
    const { seen, runtime } = watched();
    const { dispatcher, observed } = await serve(MLP, {}, runtime);
    const ask = async (i: number) =>
      numbersOf((await dispatcher.submit(request(row(i, 2, 3, 4)))).outputs);
    const before = await ask(1);
    await vi.waitFor(async () => {
      expect(await ask(1)).toEqual(before);
      expect(seen.runs).toBeGreaterThan(2);
    }, OFTEN);
    expect(await ask(7)).not.toEqual(before);
    const count = observed.answered;
    expect(dispatcher.snapshot().replicas).toMatchObject([{ runs: count }]);
    expect(observed.batches).toHaveLength(count);
    await dispatcher.drain();
    expect(seen).toMatchObject({ opened: 1, closed: 1 });
  });

  test('runs requests that come together in its replica, as one batch', async () => {
    const { seen, runtime } = watched();
    const { dispatcher, observed } = await serve(MLP, {}, runtime);
    const ask = () => dispatcher.submit(request(row(1, 2, 3, 4)));
    await vi.waitFor(async () => {
      await ask();
      expect(seen.runs).toBeGreaterThan(0);
    }, OFTEN);
    const { runs } = seen;
    await Promise.all(Array.from({ length: 8 }, ask));
    expect(seen.runs - runs).toBeLessThanOrEqual(1);
    expect(Math.max(...observed.batches)).toBeGreaterThan(1);
  });

  test('does so neither in a process nor on several cores', async () => {
    for (const settings of [{ isolation: 'process' }, { threads: 2 }] as const) {
      const { seen, runtime } = watched();
      const { dispatcher } = await serve(MLP, settings, runtime);
      for (let i = 0; i < 3 * loneRequests; i++) {
        await dispatcher.submit(request(row(1, 2, 3, 4)));
        await turn();
      }
      expect(seen.opened).toBe(0);
      await dispatcher.drain();
    }
  });
});

describe('which runs are here', () => {
  const result = { outputs: new Map(), inputMs: 0, computeMs: 0.1, outputMs: 0 };
  const run = (rows = 1, key = ''): Pick<Ticket, 'lane' | 'rows'> => ({
    lane: { key } as Ticket['lane'],
    rows,
  });

  function inline(bytes: Uint8Array = MLP, thread = new LoopThread()) {
    const state = { opened: 0, closed: 0, session: undefined as InlineSession | undefined };
    const runtime: Runtime = {
      ...nativeRuntime,
      async openInline() {
        state.opened++;
        state.session = { run: () => result, close: () => void state.closed++ };
        return state.session;
      },
    };
    const settings = { device: 'cpu', threads: 1 } as const;
    const runs = new InlineRuns({ runtime, model: { bytes }, settings, thread });
    onTestFinished(() => runs.stop());
    /** Lone requests; each takes its replica so long. */
    const lone = async (count: number, computeMs = 0.1, now = 0, one = run()) => {
      for (let i = 0; i < count; i++) {
        runs.arrive(true);
        runs.ran(one, computeMs, false, now);
        await turn();
      }
    };
    return { state, thread, runs, lone };
  }

  /** Opens the session. */
  async function opened(...of: Parameters<typeof inline>) {
    const all = inline(...of);
    await all.lone(loneRequests);
    expect(all.runs.sessionFor(run(), 0)).toBeUndefined();
    await turn();
    expect(all.state.opened).toBe(1);
    return all;
  }

  test('after so many that came one at a time', async () => {
    const { state, runs, lone } = inline();
    await lone(loneRequests - 1);
    expect(runs.sessionFor(run(), 0)).toBeUndefined();
    expect(state.opened).toBe(0);
    await lone(1);
    runs.sessionFor(run(), 0);
    await turn();
    expect(runs.sessionFor(run(), 0)).toBe(state.session);
  });

  test('while no other runs in the node, or came in the same turn of the event loop', async () => {
    const { thread, runs, state, lone } = await opened();
    expect(runs.sessionFor(run(), 0)).toBe(state.session);
    runs.arrive(true);
    expect(runs.sessionFor(run(), 0)).toBe(state.session);
    runs.arrive(true);
    expect(runs.sessionFor(run(), 0)).toBeUndefined();
    await turn();
    await lone(loneRequests);
    expect(runs.sessionFor(run(), 0)).toBe(state.session);
    thread.running = 1;
    runs.arrive(true);
    expect(runs.sessionFor(run(), 0)).toBeUndefined();
    thread.running = 0;
    await lone(loneRequests);
    runs.arrive(false);
    expect(runs.sessionFor(run(), 0)).toBeUndefined();
  });

  test('of sizes that have run, and are short', async () => {
    const { runs, state, lone } = await opened();
    expect(runs.sessionFor(run(2), 0)).toBeUndefined();
    expect(runs.sessionFor(run(1, '8x;'), 0)).toBeUndefined();
    await lone(1, 2 * longestMs, 0, run(2));
    expect(runs.sessionFor(run(2), 0)).toBeUndefined();
    expect(runs.sessionFor(run(), 0)).toBe(state.session);
    // One that took long here goes back to the replica, and returns when the replica shows that it is short.
    runs.ran(run(), 10, true, 0);
    expect(runs.sessionFor(run(), 0)).toBeUndefined();
    await lone(20, 0.1);
    expect(runs.sessionFor(run(), 0)).toBe(state.session);
  });

  test('now and then in the replica, but not each of those that are rare', async () => {
    const { runs, state, lone } = await opened();
    const later = 2 * replicaEveryMs;
    expect(runs.sessionFor(run(), later)).toBe(state.session);
    for (let i = 0; i < replicaEveryRuns; i++) runs.ran(run(), 0.1, true, later);
    expect(runs.sessionFor(run(), later)).toBeUndefined();
    await lone(1, 0.1, later);
    expect(runs.sessionFor(run(), later)).toBe(state.session);
  });

  test('as long as they are used: the memory is given back, and taken again', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { runs, state, lone } = await opened();
    vi.advanceTimersByTime(unusedMs);
    expect(state.closed).toBe(0);
    vi.advanceTimersByTime(unusedMs);
    expect(state.closed).toBe(1);
    expect(runs.sessionFor(run(), 0)).toBeUndefined();
    await lone(loneRequests);
    runs.sessionFor(run(), 0);
    await turn();
    expect(state.opened).toBe(2);
    runs.stop();
    expect(state.closed).toBe(2);
    await lone(loneRequests);
    expect(runs.sessionFor(run(), 0)).toBeUndefined();
  });

  test('within a bound of memory for all models of the node', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const thread = new LoopThread();
    const others = thread.freeBytes;
    expect(thread.reserve(others)).toBe(true);
    const second = inline(MLP, thread);
    await second.lone(loneRequests);
    second.runs.sessionFor(run(), 0);
    await turn();
    expect(second.state.opened).toBe(0);
    thread.release(others);
    vi.advanceTimersByTime(unusedMs);
    second.runs.sessionFor(run(), 0);
    await turn();
    expect(second.state.opened).toBe(1);
  });

  test('of models with few nodes, whose work follows from the sizes of their inputs, and that can be loaded', async () => {
    const graph = new GraphBuilder('found');
    const x = graph.input('x', 'float32', ['batch', 4]);
    graph.node('NonZero', [x], {}, { outputs: ['y'] });
    graph.output('y', 'int64', [2, null]);
    const long = new GraphBuilder('long');
    let last = long.input('x', 'float32', ['batch', 4]);
    for (let i = 0; i <= nodes; i++) [last] = long.node('Relu', [last]);
    long.output(last, 'float32', ['batch', 4]);
    const models = [graph, long].map((each) => writeModel(each.model()));
    for (const bytes of [...models, Uint8Array.of(1, 2, 3)]) {
      const { thread, runs, state, lone } = inline(bytes);
      await lone(loneRequests);
      runs.sessionFor(run(), 0);
      await turn();
      expect(state.opened).toBe(0);
      expect(thread.freeBytes).toBe(new LoopThread().freeBytes);
    }
  });
});
