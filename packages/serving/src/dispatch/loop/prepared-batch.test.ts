/** The dispatcher with a runtime that prepares runs, and ends them on command. */
import type { DeploymentSettingsInput } from '@skein/api';
import { tensor } from '@skein/onnx';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Cancellation, type Target, type TargetRequest } from '../../contract.ts';
import { replicaTuning } from '../replica-tuning.ts';
import { codeOf, MLP, numbersOf, request, row, serve, untilStates } from '../testing/harness.ts';
import { Puppet } from '../testing/puppet-runtime.ts';

const before = { ...replicaTuning };
beforeEach(() => {
  // However busy the tests keep this thread.
  Object.assign(replicaTuning, { busyThread: 2, loadEveryRuns: 1 });
});
afterEach(() => void Object.assign(replicaTuning, before));

/** Another number of names than the model has outputs, as where only some are wanted. */
const SOME_OUTPUTS = { outputs: ['y', 'y'] };

const settings = { objective: { latencyMs: 10_000 } };
const prepared = async (
  more: DeploymentSettingsInput = settings,
  replicas = 1,
): Promise<[Target, Puppet, (x: number, more?: Partial<TargetRequest>) => Promise<number>]> => {
  const puppet = new Puppet();
  puppet.prepares = true;
  const { dispatcher } = await serve(MLP, more, puppet.runtime, replicas, puppet.clock);
  await untilStates(dispatcher, ...Array.from({ length: replicas }, () => 'ready' as const));
  puppet.automatic = false;
  const ask = async (x: number, given: Partial<TargetRequest> = {}): Promise<number> => {
    const { outputs } = await dispatcher.submit(request(row(x, 0, 0, 0), given));
    return numbersOf(outputs)[0]!;
  };
  return [dispatcher, puppet, ask];
};
const rowsPrepared = (puppet: Puppet, session = 0): number | undefined =>
  puppet.sessions[session]!.prepared?.rows;

describe('a run that is prepared', () => {
  test('begins when the one before ends, with the requests that came meanwhile; each gets its rows', async () => {
    const [dispatcher, puppet, ask] = await prepared();
    const running = ask(1);
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const waiting = [2, 3, 4].map((x) => ask(x));
    expect(rowsPrepared(puppet)).toBe(3);
    // For the policies they wait until then.
    expect(dispatcher.snapshot()).toMatchObject({ queuedRequests: 3, inFlightRows: 1 });
    await puppet.end();
    // It has begun before the loop reads the end.
    expect(puppet.sessions[0]!.run).toMatchObject({ rows: 3 });
    expect(await running).toBe(1);
    expect(dispatcher.snapshot()).toMatchObject({ queuedRequests: 0, inFlightRows: 3 });
    await puppet.end();
    expect(await Promise.all(waiting)).toEqual([2, 3, 4]);
    expect(dispatcher.snapshot()).toMatchObject({ answered: 4, inFlightRows: 0 });
  });

  test('is not prepared before as many rows wait as run', async () => {
    const [dispatcher, puppet, ask] = await prepared();
    const x = tensor('float32', [3, 4], new Float32Array(12));
    const running = dispatcher.submit(request(x));
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const waiting = [ask(1), ask(2)];
    expect(rowsPrepared(puppet)).toBeUndefined();
    waiting.push(ask(3));
    expect(rowsPrepared(puppet)).toBe(3);
    await puppet.end();
    await running;
    await puppet.end();
    expect(await Promise.all(waiting)).toEqual([1, 2, 3]);
  });

  test('is withdrawn by a request that cannot join it, and the policies choose', async () => {
    const [, puppet, ask] = await prepared();
    const running = ask(1);
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const waiting = [ask(2), ask(3, { outputs: ['y'] })];
    expect(rowsPrepared(puppet)).toBe(2);
    waiting.push(ask(4, SOME_OUTPUTS));
    expect(rowsPrepared(puppet)).toBeUndefined();
    await puppet.end();
    expect(await running).toBe(1);
    expect(await puppet.end()).toBe(3);
    expect(await Promise.all(waiting)).toEqual([2, 3, 4]);
  });

  test('runs without an answer for a request that was cancelled before', async () => {
    const [dispatcher, puppet, ask] = await prepared();
    const running = ask(1);
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const cancellation = new Cancellation();
    const gone = codeOf(ask(2, { cancellation }));
    const stays = ask(3);
    cancellation.cancel();
    expect(await gone).toBe('CANCELLED');
    await puppet.end();
    expect(await running).toBe(1);
    expect(await puppet.end()).toBe(2);
    expect(await stays).toBe(3);
    expect(dispatcher.snapshot()).toMatchObject({ answered: 2, refused: { CANCELLED: 1 } });
  });

  test('a request that comes when it has begun runs after it', async () => {
    const [, puppet, ask] = await prepared();
    const answers = [ask(1)];
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    answers.push(ask(2));
    expect(puppet.endNow()).toBe(1);
    // In the same turn: the loop has not read the end.
    answers.push(ask(3), ask(4));
    expect(await answers[0]).toBe(1);
    await puppet.end();
    expect(await answers[1]).toBe(2);
    expect(await puppet.end()).toBe(2);
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4]);
  });

  test('is lost with its replica before it begins: its requests wait for the next, and have lost nothing', async () => {
    const [, puppet, ask] = await prepared();
    const running = ask(1);
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const waiting = [ask(2), ask(3)];
    expect(rowsPrepared(puppet)).toBe(2);
    puppet.sessions[0]!.lose();
    puppet.automatic = true;
    expect(await Promise.all([running, ...waiting])).toEqual([1, 2, 3]);
  });

  test('fails as any run: each of its requests runs again alone', async () => {
    const [, puppet, ask] = await prepared();
    const running = ask(1);
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const waiting = [ask(2), ask(3)];
    await puppet.end();
    expect(await running).toBe(1);
    const { run } = puppet.sessions[0]!;
    delete puppet.sessions[0]!.run;
    puppet.automatic = true;
    run!.reject(new Error('planted'));
    expect(await Promise.all(waiting)).toEqual([2, 3]);
  });

  test('ends before its version does', async () => {
    const [dispatcher, puppet, ask] = await prepared();
    const answers = [ask(1)];
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    answers.push(ask(2));
    const drained = dispatcher.drain();
    await puppet.end();
    await puppet.end();
    expect(await Promise.all(answers)).toEqual([1, 2]);
    await drained;
    expect(puppet.sessions[0]!.closed).toBe(true);
  });

  test('is cut off with its version', async () => {
    const [dispatcher, puppet, ask] = await prepared();
    const answers = [codeOf(ask(1))];
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    answers.push(codeOf(ask(2)));
    void dispatcher.drain(puppet.clock.now());
    expect(await Promise.all(answers)).toEqual(['NODE_DRAINING', 'NODE_DRAINING']);
    expect(rowsPrepared(puppet)).toBeUndefined();
  });

  test('is withdrawn when another replica can take its requests', async () => {
    const [dispatcher, puppet, ask] = await prepared();
    const running = ask(1);
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const waiting = [ask(2), ask(3)];
    expect(rowsPrepared(puppet)).toBe(2);
    puppet.automatic = true;
    dispatcher.scaleTo(2);
    expect(await Promise.all(waiting)).toEqual([2, 3]);
    expect(rowsPrepared(puppet)).toBeUndefined();
    await puppet.end();
    expect(await running).toBe(1);
  });

  test.each([
    ['the thread of the loop is busy', () => Object.assign(replicaTuning, { busyThread: 0 }), {}],
    ['only some outputs are wanted', () => undefined, SOME_OUTPUTS],
  ])('is none while %s', async (_, given, more) => {
    given();
    const [, puppet, ask] = await prepared();
    const running = ask(1);
    await vi.waitUntil(() => puppet.sessions[0]!.run, { interval: 1 });
    const waiting = ask(2, more);
    expect(rowsPrepared(puppet)).toBeUndefined();
    await puppet.end();
    await running;
    await puppet.end();
    expect(await waiting).toBe(2);
  });
});
