/** The dispatcher with a runtime that fails on command. */
import type { DeploymentSettingsInput } from '@skein/api';
import type { TensorMap } from '@skein/onnx';
import { describe, expect, test, vi } from 'vitest';
import { Cancellation, type Target } from '../../contract.ts';
import {
  codeOf,
  MLP,
  numbersOf,
  request,
  row,
  serve,
  untilStates,
  type Served,
} from '../testing/harness.ts';
import { Puppet } from '../testing/puppet-runtime.ts';

describe('with a runtime that fails', () => {
  const manual = async (
    settings: DeploymentSettingsInput = {},
    replicas = 1,
  ): Promise<[Target, Puppet, Served['observed']]> => {
    const puppet = new Puppet();
    const { dispatcher, observed } = await serve(
      MLP,
      settings,
      puppet.runtime,
      replicas,
      puppet.clock,
    );
    await untilStates(dispatcher, ...Array.from({ length: replicas }, () => 'ready' as const));
    puppet.automatic = false;
    return [dispatcher, puppet, observed];
  };
  const first = (answer: Promise<{ outputs: TensorMap }>): Promise<number> =>
    answer.then(({ outputs }) => numbersOf(outputs)[0]!);

  test('a request that finds an idle replica runs at once; requests that arrive meanwhile run together next', async () => {
    const [dispatcher, puppet] = await manual();
    const early = first(dispatcher.submit(request(row(1, 0, 0, 0))));
    expect(dispatcher.snapshot()).toMatchObject({ queuedRequests: 0, inFlightRows: 1 });
    const late = [2, 3, 4].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    expect(dispatcher.snapshot()).toMatchObject({ queuedRequests: 3, inFlightRows: 1 });
    expect(await puppet.end()).toBe(1);
    expect(await early).toBe(1);
    expect(await puppet.end()).toBe(3);
    expect(await Promise.all(late)).toEqual([2, 3, 4]);
  });

  test('a cancelled request leaves the queue at once; a running one finishes', async () => {
    const [dispatcher, puppet] = await manual();
    const running = new Cancellation();
    const waiting = new Cancellation();
    const a = codeOf(dispatcher.submit(request(row(1, 0, 0, 0), { cancellation: running })));
    await vi.waitFor(() => expect(puppet.sessions[0]!.run).toBeDefined(), { interval: 1 });
    const b = codeOf(dispatcher.submit(request(row(2, 0, 0, 0), { cancellation: waiting })));
    expect(dispatcher.snapshot().queuedRequests).toBe(1);
    waiting.cancel();
    running.cancel();
    expect(dispatcher.snapshot().queuedRequests).toBe(0);
    expect(await Promise.all([a, b])).toEqual(['CANCELLED', 'CANCELLED']);
    await puppet.end();
    await vi.waitFor(() => expect(dispatcher.snapshot().inFlightRows).toBe(0), { interval: 1 });
    expect(dispatcher.snapshot()).toMatchObject({ answered: 0, refused: { CANCELLED: 2 } });
    const gone = new Cancellation();
    gone.cancel();
    const c = dispatcher.submit(request(row(3, 0, 0, 0), { cancellation: gone }));
    expect(await codeOf(c)).toBe('CANCELLED');
  });

  test('a request whose deadline passes in the queue is failed at its deadline, although no replica is ready', async () => {
    const [dispatcher, puppet] = await manual();
    const stuck = codeOf(dispatcher.submit(request(row(1, 0, 0, 0))));
    await vi.waitFor(() => expect(puppet.sessions[0]!.run).toBeDefined(), { interval: 1 });
    const urgent = dispatcher.submit(
      request(row(2, 0, 0, 0), { deadline: puppet.clock.now() + 100 }),
    );
    await expect(codeOf(urgent)).resolves.toBe('DEADLINE_EXCEEDED');
    await puppet.end();
    await expect(stuck).resolves.toBe('answered');
  });

  test('a request that still runs at its deadline fails then, and its late answer goes nowhere', async () => {
    const [dispatcher, puppet, observed] = await manual();
    const now = puppet.clock.now();
    const late = dispatcher.submit(request(row(1, 0, 0, 0), { deadline: now + 100 }));
    await expect(late).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: expect.stringMatching(/still ran .* its deadline allowed/),
    });
    expect(dispatcher.snapshot()).toMatchObject({ inFlightRows: 1, answered: 0 });
    const next = codeOf(dispatcher.submit(request(row(2, 0, 0, 0))));
    await puppet.end();
    await puppet.end();
    await expect(next).resolves.toBe('answered');
    expect(observed.refused).toEqual(['DEADLINE_EXCEEDED']);
    expect(dispatcher.snapshot()).toMatchObject({ answered: 1, refused: { DEADLINE_EXCEEDED: 1 } });
  });

  test('an answer after its deadline is late even if the loop sees both at once', async () => {
    const [dispatcher, puppet] = await manual();
    const now = puppet.clock.now();
    const late = codeOf(dispatcher.submit(request(row(1, 0, 0, 0), { deadline: now + 1_000 })));
    puppet.passedMs += 2_000;
    await puppet.end();
    await expect(late).resolves.toBe('DEADLINE_EXCEEDED');
  });

  test('without a deadline of the caller, an answer after the objective is delivered and counted as late', async () => {
    const [dispatcher, puppet, observed] = await manual();
    const deadline = puppet.clock.now() + 1_000;
    const late = codeOf(
      dispatcher.submit(request(row(1, 0, 0, 0), { deadline, isObjective: true })),
    );
    puppet.passedMs += 2_000;
    await puppet.end();
    await expect(late).resolves.toBe('answered');
    expect(observed.answered).toBe(1);
    expect(dispatcher.snapshot()).toMatchObject({ answered: 1, answeredInTime: 0 });
  });

  test('a lost run is retried once, and then failed', async () => {
    const [dispatcher, puppet, observed] = await manual();
    const ends = [1, 2, 3].map((i) => codeOf(dispatcher.submit(request(row(i, 0, 0, 0)))));
    expect(await puppet.end()).toBe(1);
    await vi.waitFor(() => expect(puppet.sessions[0]!.run?.rows).toBe(2), { interval: 1 });
    puppet.automatic = true;
    puppet.sessions[0]!.lose();
    expect(await Promise.all(ends)).toEqual(['answered', 'answered', 'answered']);
    expect(puppet.sessions).toHaveLength(2);

    puppet.held = 9;
    const poison = codeOf(dispatcher.submit(request(row(9, 0, 0, 0))));
    for (const session of [1, 2]) {
      await vi.waitFor(() => expect(puppet.sessions[session]?.run).toBeDefined(), { interval: 1 });
      puppet.sessions[session]!.lose();
    }
    expect(await poison).toBe('REPLICA_LOST');
    expect(observed.refused).toEqual(['REPLICA_LOST']);
  });

  test('outputs without their rows end batching, and no request gets another’s row', async () => {
    const [dispatcher, puppet] = await manual();
    puppet.outputRows = () => 1;
    const answers = [1, 2, 3, 4].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    for (const rows of [1, 3, 1, 1, 1]) expect(await puppet.end()).toBe(rows);
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4]);
    expect(dispatcher.maxBatchRows).toBe(1);
    expect(dispatcher.snapshot().unbatched).toMatch(/"y"/);
  });

  test('scaling down lets a run end; scaling up again starts a new replica', async () => {
    const [dispatcher, puppet] = await manual({}, 2);
    const answers = [1, 2].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    await vi.waitFor(() => expect(dispatcher.snapshot().inFlightRows).toBe(2), { interval: 1 });
    dispatcher.scaleTo(1);
    expect(dispatcher.snapshot().replicas.map(({ state }) => state)).toEqual(['ready', 'draining']);
    dispatcher.scaleTo(0);
    await Promise.all([puppet.end(0), puppet.end(1)]);
    expect(await Promise.all(answers)).toEqual([1, 2]);
    await untilStates(dispatcher);
    expect(puppet.sessions.map(({ closed }) => closed)).toEqual([true, true]);
    await expect(codeOf(dispatcher.submit(request(row(3, 0, 0, 0))))).resolves.toBe('NO_REPLICA');

    puppet.automatic = true;
    dispatcher.scaleTo(1);
    await expect(first(dispatcher.submit(request(row(4, 0, 0, 0))))).resolves.toBe(4);
  });

  test('scaling to zero waits for queued requests', async () => {
    const [dispatcher, puppet] = await manual({ batching: { maxRows: 1 } });
    const answers = [1, 2, 3].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    dispatcher.scaleTo(0);
    for (let i = 0; i < 3; i++) await puppet.end();
    expect(await Promise.all(answers)).toEqual([1, 2, 3]);
    await untilStates(dispatcher);
  });

  test('a cold request waits for its replica if its deadline allows, otherwise it gets a retry time', async () => {
    const puppet = new Puppet();
    const { dispatcher } = await serve(MLP, {}, puppet.runtime, 0, puppet.clock);
    dispatcher.scaleTo(1);
    const urgent = dispatcher.submit(
      request(row(1, 0, 0, 0), { deadline: puppet.clock.now() + 100 }),
    );
    const patient = first(dispatcher.submit(request(row(2, 0, 0, 0))));
    await expect(urgent).rejects.toMatchObject({
      code: 'NO_REPLICA',
      retryAfterMs: expect.any(Number),
    });
    await expect(patient).resolves.toBe(2);
  });

  test('draining refuses new requests, finishes accepted ones, then ends every replica', async () => {
    const [dispatcher, puppet] = await manual({ batching: { maxRows: 1 } });
    const accepted = [1, 2].map((i) => first(dispatcher.submit(request(row(i, 0, 0, 0)))));
    const drained = dispatcher.drain();
    await expect(codeOf(dispatcher.submit(request(row(3, 0, 0, 0))))).resolves.toBe(
      'NODE_DRAINING',
    );
    for (let i = 0; i < 2; i++) await puppet.end();
    expect(await Promise.all(accepted)).toEqual([1, 2]);
    await drained;
    expect(puppet.sessions[0]!.closed).toBe(true);
    expect(dispatcher.snapshot().replicas).toEqual([]);
  });

  test('user errors are refused before they reach the queue', async () => {
    const [dispatcher] = await manual({ finiteOnly: true });
    const bad = request(row(1, 2, 3));
    await expect(codeOf(dispatcher.submit(bad))).resolves.toBe('INPUT_SHAPE');
    await expect(codeOf(dispatcher.submit(request(row(1, 2, 3, Number.NaN))))).resolves.toBe(
      'INPUT_NOT_FINITE',
    );
    await expect(
      codeOf(dispatcher.submit(request(row(1, 2, 3, 4), { outputs: ['z'] }))),
    ).resolves.toBe('OUTPUT_UNKNOWN');
    expect(dispatcher.snapshot()).toMatchObject({
      arrivedRequests: 0,
      refused: { INPUT_SHAPE: 1, INPUT_NOT_FINITE: 1, OUTPUT_UNKNOWN: 1 },
    });
  });
});
