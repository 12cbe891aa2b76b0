/** Runs that a session in a thread begins when the one before has ended, without another message. */
import { values, type NumericTensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import type { PreparedRun, RunResult } from '../contract.ts';
import { crashSession } from '../crash.ts';
import { arithmetic, float32, fours } from '../testing/models.ts';
import { open } from '../testing/sessions.ts';

describe('a prepared run', () => {
  const pair = (...numbers: number[]) =>
    new Map([
      ['a', float32([numbers.length], ...numbers)],
      ['b', float32([numbers.length], ...numbers)],
    ]);
  const sums = ({ outputs }: RunResult) => [...values(outputs.get('sum') as NumericTensor)];

  it('has the rows that were added, and follows a run', async () => {
    const session = await open(arithmetic(), 'thread');
    const running = session.run(pair(1));
    const prepared = session.prepare!(pair(2))!;
    expect(prepared.add(pair(3, 4))).toBe(true);
    expect(session.prepare!(pair(9))).toBeUndefined();
    expect(sums(await running)).toEqual([2]);
    expect(sums((await prepared.result)!)).toEqual([4, 6, 8]);
    expect(prepared.add(pair(5))).toBe(false);
    expect(prepared.withdraw()).toBe(false);
  });

  it('begins while the thread of its caller is busy', async () => {
    const session = await open(arithmetic(), 'thread');
    const first = session.run(pair(1));
    let ended = false;
    void first.then(() => (ended = true));
    const second = session.prepare!(pair(2))!;
    // A third can be prepared once the second has begun. This thread does not let go meanwhile.
    const until = performance.now() + 30_000;
    let third: PreparedRun | undefined;
    while (third === undefined && performance.now() < until) third = session.prepare!(pair(3));
    expect(ended).toBe(false);
    expect(second.withdraw()).toBe(false);
    await first;
    expect(sums((await second.result)!)).toEqual([4]);
    expect(sums((await third!.result)!)).toEqual([6]);
  });

  it('that is withdrawn does not run, and later ones do', async () => {
    const session = await open(arithmetic(), 'thread');
    const running = session.run(pair(1));
    const prepared = session.prepare!(pair(2))!;
    expect(prepared.withdraw()).toBe(true);
    expect(await prepared.result).toBeUndefined();
    expect(sums(await running)).toEqual([2]);
    expect(sums(await session.run(pair(3)))).toEqual([6]);
    const next = session.prepare!(pair(4))!;
    expect(sums((await next.result)!)).toEqual([8]);
  });

  it('runs after one that failed, and fails alone', async () => {
    const session = await open(fours(), 'thread');
    const x = (length: number) =>
      new Map([['x', float32([length], ...Array<number>(length).fill(1))]]);
    const failing = session.run(x(3));
    const prepared = session.prepare!(x(8))!;
    await expect(failing).rejects.toMatchObject({ kind: 'run' });
    expect((await prepared.result)!.outputs.get('y')!.shape).toEqual([4, 2]);
    const next = session.prepare!(x(5))!;
    await expect(next.result).rejects.toMatchObject({ kind: 'run' });
    await expect(session.run(x(4))).resolves.toBeDefined();
  });

  it('is lost with its thread, and ends before a session that is closed', async () => {
    const session = await open(arithmetic(), 'thread');
    const last = session.prepare!(pair(1))!;
    await session.close();
    await expect(last.result).resolves.toBeDefined();
    const lost = await open(arithmetic(), 'thread');
    await crashSession(lost);
    await expect(lost.prepare!(pair(1))!.result).rejects.toMatchObject({ kind: 'lost' });
  });

  it('is none in a process, which shares no memory', async () => {
    expect((await open(arithmetic(), 'process')).prepare).toBeUndefined();
  });
});
