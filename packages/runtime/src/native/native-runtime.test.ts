/** The properties of workers: they move buffers, die, and end with their parent. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GraphBuilder, writeModel } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { crashSession } from '../crash.ts';
import {
  arithmetic,
  counting,
  filling,
  float32,
  hungry,
  pouring,
  rounds,
  zeros,
} from '../testing/models.ts';
import { childrenOf, isRunning, threadCount, until } from '../testing/processes.ts';
import { open, opened } from '../testing/sessions.ts';
import { livingThreads } from './living-threads.ts';
import { nativeRuntime } from './native-runtime.ts';

const linux = process.platform === 'linux';
const feeds = () =>
  new Map([
    ['a', float32([1], 1)],
    ['b', float32([1], 2)],
  ]);
/** More rounds than a test could wait for: minutes. */
const LONG = 1e9;

describe.each(['thread', 'process'] as const)('a worker in a %s', (isolation) => {
  it('leaves the event loop free while it computes', async () => {
    const session = await open(counting(), isolation);
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    turn();
    await session.run(rounds(100_000));
    running = false;
    // A run on this thread would leave only two or three turns around it.
    expect(turns).toBeGreaterThan(100);
  });

  it('reports that it was lost between two runs', async () => {
    const session = await open(arithmetic(), isolation);
    await crashSession(session);
    expect(await session.lost).toMatchObject({ name: 'RuntimeFailure', kind: 'lost' });
    await expect(session.run(feeds())).rejects.toMatchObject({ kind: 'lost' });
    await session.close();
  });

  it('does not call a closed session lost', async () => {
    const session = await open(arithmetic(), isolation);
    const outcome = Promise.race([session.lost, session.close().then(() => 'closed')]);
    expect(await outcome).toBe('closed');
  });

  it('ends when a model cannot be loaded', async () => {
    // The first session of a process also starts threads that stay.
    await (await open(arithmetic(), isolation)).close();
    const before = linux ? [threadCount(), childrenOf(process.pid).length] : [];
    await expect(open(new Uint8Array(9), isolation)).rejects.toMatchObject({ kind: 'load' });
    if (linux) {
      await until(() => threadCount() <= before[0]!);
      expect(childrenOf(process.pid)).toHaveLength(before[1]!);
    }
  });
});

describe('a worker in a thread', () => {
  it('takes a buffer that a feed covers, and copies a view', async () => {
    const session = await open(arithmetic(), 'thread');
    const whole = float32([1], 1);
    const part = { type: 'float32' as const, shape: [1], bytes: new Uint8Array(8).subarray(0, 4) };
    await session.run(
      new Map([
        ['a', whole],
        ['b', part],
      ]),
    );
    expect(whole.bytes.byteLength).toBe(0);
    expect(part.bytes.byteLength).toBe(4);
  });

  it('refuses a buffer that has already moved, and accepts further runs', async () => {
    const session = await open(arithmetic(), 'thread');
    const used = feeds();
    await session.run(used);
    await expect(session.run(used)).rejects.toMatchObject({ kind: 'run' });
    await expect(session.run(feeds())).resolves.toBeDefined();
  });

  it('rejects the run in progress when the thread ends', async () => {
    const session = await open(counting(), 'thread');
    const running = session.run(rounds(50_000));
    const crashed = crashSession(session);
    await expect(running).rejects.toMatchObject({ kind: 'lost' });
    await crashed;
  });

  it('may end at any moment of a run without ending the process', { timeout: 60_000 }, async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const session = await open(counting(), 'thread');
      const running = session.run(rounds(4000)).then(
        () => 'answered',
        (error: { kind: string }) => error.kind,
      );
      await delay(round / 4);
      await crashSession(session);
      outcomes.add(await running);
    }
    outcomes.delete('answered');
    expect([...outcomes]).toEqual(['lost']);
  });
});

describe('a thread that is prepared', () => {
  it('is taken by the next session in a thread, and by that one alone', async () => {
    const before = livingThreads();
    const prepared = nativeRuntime.prepare!();
    expect(livingThreads()).toBe(before + 1);
    const session = await open(arithmetic(), 'thread');
    expect(livingThreads()).toBe(before + 1);
    await open(arithmetic(), 'thread');
    expect(livingThreads()).toBe(before + 2);
    // It is the session's now.
    await prepared.release();
    expect(livingThreads()).toBe(before + 2);
    await session.run(feeds());
  });

  it('ends when it is released, and is not taken by a process', async () => {
    const before = livingThreads();
    const prepared = nativeRuntime.prepare!();
    await open(arithmetic(), 'process');
    expect(livingThreads()).toBe(before + 1);
    await prepared.release();
    await prepared.release();
    expect(livingThreads()).toBe(before);
  });
});

it('a process has a copy of large feeds, which are freed here at once', async () => {
  const feed = (value: number) => float32([2 ** 15], ...Array<number>(2 ** 15).fill(value));
  const session = await open(arithmetic(), 'process');
  const [a, b] = [feed(1), feed(2)];
  const ran = session.run(
    new Map([
      ['a', a],
      ['b', b],
    ]),
  );
  expect(a.bytes.buffer).toMatchObject({ detached: true });
  const { outputs } = await ran;
  expect(outputs.size).toBeGreaterThan(0);
});

describe.skipIf(!linux)('a worker in a process', () => {
  it('rejects the run in progress when it is killed, and names the signal', async () => {
    const session = await open(counting(), 'process');
    const running = session.run(rounds(LONG));
    const pid = childrenOf(process.pid).at(-1)!;
    process.kill(pid, 'SIGKILL');
    await expect(running).rejects.toMatchObject({
      kind: 'lost',
      message: 'The process skein-session was ended by SIGKILL.',
    });
    expect(await session.lost).toMatchObject({ kind: 'lost' });
    expect(isRunning(pid)).toBe(false);
  });

  it('reports the last output of a child that aborted', async () => {
    const session = await open(arithmetic(), 'process');
    process.kill(childrenOf(process.pid).at(-1)!, 'SIGABRT');
    expect((await session.lost).message).toContain(
      'The process skein-session was ended by SIGABRT',
    );
  });

  it('has a lower priority if it yields, and otherwise its parent’s', async () => {
    const options = { device: 'cpu', threads: 1, isolation: 'process' } as const;
    for (const yields of [true, false]) {
      opened.push(await nativeRuntime.open({ bytes: arithmetic() }, { ...options, yields }));
      const pid = childrenOf(process.pid).at(-1)!;
      expect(getPriority(pid)).toBe(Math.min(19, getPriority() + (yields ? 5 : 0)));
    }
  });

  it('ignores Ctrl-C and a stop of the whole group, which the node handles', async () => {
    const session = await open(arithmetic(), 'process');
    const pid = childrenOf(process.pid).at(-1)!;
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGTERM');
    await expect(session.run(feeds())).resolves.toBeDefined();
  });

  it('ends at once when it is closed in the middle of a run', async () => {
    const session = await open(counting(), 'process');
    const pid = childrenOf(process.pid).at(-1)!;
    const running = session.run(rounds(LONG));
    await Promise.all([expect(running).rejects.toMatchObject({ kind: 'lost' }), session.close()]);
    expect(isRunning(pid)).toBe(false);
  });

  it.each(['idle', 'busy'])('dies with a parent that is killed while it is %s', async (state) => {
    const script = fileURLToPath(new URL('../testing/parent.ts', import.meta.url));
    const parent = spawn(process.execPath, [script, state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
    const child = Number(line);
    expect(isRunning(child)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isRunning(child));
    expect(isRunning(child)).toBe(false);
  });
});

describe.each(['thread', 'process'] as const)('loading in a %s', (isolation) => {
  it('is cancelled at once, and leaves no worker behind', async () => {
    const before = childrenOf(process.pid).length;
    const giveUp = new AbortController();
    const opening = nativeRuntime.open(
      { bytes: arithmetic() },
      { device: 'cpu', threads: 1, isolation },
      giveUp.signal,
    );
    giveUp.abort();
    await expect(opening).rejects.toMatchObject({
      kind: 'lost',
      message: expect.stringContaining('given up') as string,
    });
    await until(() => livingThreads() === 0 && childrenOf(process.pid).length === before);
  });

  it('bounds the outputs of a run', async () => {
    const session = await nativeRuntime.open(
      { bytes: pouring() },
      { device: 'cpu', threads: 1, isolation, maxOutputBytes: 1000 },
    );
    opened.push(session);
    await expect(session.run(zeros(250))).resolves.toBeDefined();
    await expect(session.run(zeros(251))).rejects.toMatchObject({
      kind: 'run',
      message: 'The outputs take more than 1000 bytes.',
    });
    await expect(session.run(zeros(1))).resolves.toBeDefined();
  });
});

describe.skipIf(!linux)('the memory of a child process', () => {
  const MIB = 2 ** 20;
  const openBounded = async (model: Uint8Array) => {
    const session = await nativeRuntime.open(
      { bytes: model },
      { device: 'cpu', threads: 1, isolation: 'process', maxMemoryBytes: 256 * MIB },
    );
    opened.push(session);
    return session;
  };

  it('is bounded: a run that asks for more fails, and the next one is answered', async () => {
    const session = await openBounded(filling());
    const pid = childrenOf(process.pid).at(-1)!;
    for (const count of [1e8, 1e9, 4e12]) {
      await expect(session.run(zeros(count))).rejects.toMatchObject({ kind: 'memory' });
      await expect(session.run(zeros(1e6))).resolves.toBeDefined();
    }
    await expect(session.run(zeros(4e7))).resolves.toBeDefined();
    expect(isRunning(pid)).toBe(true);
  });

  it('is bounded while it loads', async () => {
    const model = hungry();
    expect(model.byteLength).toBeLessThan(300);
    // ONNX Runtime folds the constant while it loads, or leaves it to the first run.
    const outcome = openBounded(model).then((session) =>
      session.run(new Map([['x', float32([1], 1)]])),
    );
    await expect(outcome).rejects.toMatchObject({ kind: 'memory' });
  });

  it('is checked by the child itself when the kernel has no limit', async () => {
    const environment = process.env;
    // Without `prlimit` the limit cannot be set.
    process.env = { ...environment, PATH: '/nowhere' };
    const session = await openBounded(filling());
    process.env = environment;
    const run = session.run(zeros(1e9));
    await expect(run).rejects.toMatchObject({
      kind: 'lost',
      message: expect.stringContaining('took more memory than it may') as string,
    });
  });
});

describe('a model', () => {
  it('cannot set options of its session', async () => {
    const graph = new GraphBuilder('greedy');
    graph.input('x', 'float32', [1]);
    graph.node('Identity', ['x'], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [1]);
    const value = JSON.stringify({ session_options: { enable_profiling: true } });
    const model = graph.model();
    model.metadataProps = [{ $typeName: 'onnx.StringStringEntryProto', key: 'ort_config', value }];
    const bytes = writeModel(model);
    const before = readdirSync('.');
    const environment = process.env;
    process.env = { ...environment, ORT_LOAD_CONFIG_FROM_MODEL: '1' };
    const session = await open(bytes, 'process');
    process.env = environment;
    await session.run(new Map([['x', float32([1], 1)]]));
    await session.close();
    expect(readdirSync('.')).toEqual(before);
  });
});
