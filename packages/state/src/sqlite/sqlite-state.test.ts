import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteState } from './sqlite-state.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-thread-'));
  path = join(folder, 'state.sqlite');
});
afterEach(() => rm(folder, { recursive: true }));

const entry = { actor: 'a', action: 'b', outcome: 'ok', remote: '' };
const row = { name: 'd', settings: {} as never, targets: [] };

describe('the state in a thread of its own', () => {
  it('answers in the order in which it was asked, without waiting in between', async () => {
    const state = await openSqliteState(path);
    const answered: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await state.addAudit({ ...entry, subject: String(index) });
        answered.push(index);
      }),
    );
    const inOrder = Array.from({ length: 50 }, (_, index) => index);
    expect(answered).toEqual(inOrder);
    const subjects = (await state.audit(100)).map(({ subject }) => Number(subject));
    expect(subjects.reverse()).toEqual(inOrder);
    await state.close();
  });

  it('refuses as the table of errors does, with the place where it happened', async () => {
    const state = await openSqliteState(path);
    const error: unknown = await state.putDeployment(row, 7).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SkeinError);
    expect(error).toMatchObject({
      code: 'ROLLOUT_IN_PROGRESS',
      message: expect.stringContaining('"d"') as string,
      stack: expect.stringContaining('deployments.ts') as string,
    });
    // A fault is no SkeinError, and the thread goes on after it.
    await expect(state.history({ limit: 1.5 })).rejects.not.toBeInstanceOf(SkeinError);
    expect(await state.deployments()).toEqual([]);
    await state.close();
  });

  it('finishes what was asked before it closes, and refuses what comes after', async () => {
    const state = await openSqliteState(path);
    const asked = state.putDeployment(row, 0);
    const closed = state.close();
    await expect(state.deployments()).rejects.toThrow('closed');
    expect((await asked).revision).toBe(1);
    await closed;
    await state.close();
  });

  it('keeps no process alive that has nothing else to do', () => {
    const script = `
      const { openSqliteState } = await import('${import.meta.dirname}/sqlite-state.ts');
      const state = await openSqliteState(${JSON.stringify(path)});
      await state.addAudit(${JSON.stringify({ ...entry, subject: 's' })});
      console.log((await state.audit(5)).length);`;
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 15_000,
    });
    expect([ended.status, ended.stdout.toString()]).toEqual([0, '1\n']);
  });
});
