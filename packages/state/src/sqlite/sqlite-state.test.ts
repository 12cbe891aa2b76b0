import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SkeinError } from '@skein/api';
import { beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openSqliteState } from './sqlite-state.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = testFolder();
  path = join(folder, 'state.sqlite');
});

const entry = { actor: 'a', action: 'b', outcome: 'ok', remote: '' };
const row = { name: 'd', settings: {} as never, targets: [] };

describe('the state in its own thread', () => {
  it('answers in the order of the calls, without waiting in between', async () => {
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

  it('rejects with a coded error and the stack of the failure', async () => {
    const state = await openSqliteState(path);
    const error: unknown = await state.putDeployment(row, 7).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SkeinError);
    expect(error).toMatchObject({
      code: 'ROLLOUT_IN_PROGRESS',
      message: expect.stringContaining('"d"') as string,
      stack: expect.stringContaining('deployments.ts') as string,
    });
    // A fault is not a SkeinError, and the thread continues after it.
    await expect(state.history({ limit: 1.5 })).rejects.not.toBeInstanceOf(SkeinError);
    expect(await state.deployments()).toEqual([]);
    await state.close();
  });

  it('finishes earlier calls before it closes, and refuses later ones', async () => {
    const state = await openSqliteState(path);
    const asked = state.putDeployment(row, 0);
    const closed = state.close();
    await expect(state.deployments()).rejects.toThrow('closed');
    expect((await asked).revision).toBe(1);
    await closed;
    await state.close();
  });

  it('does not keep an idle process alive', () => {
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

describe('budgets', () => {
  const DAY_MS = 86_400_000;
  const start = Date.UTC(2030, 0, 31);

  it('of a day are still spent when a clock that was a month ahead is right again', async () => {
    let now = start;
    const state = await openSqliteState(path, { clock: () => now });
    const take = (budget: string, endsAt: number) =>
      state.budgets.takeBudget({ budget, limit: 100, wanted: 100, least: 1, endsAt });
    expect(await take('usd 2030-01-31', start + DAY_MS)).toBe(100);
    now += 31 * DAY_MS;
    expect(await take('usd 2030-03-03', now + DAY_MS)).toBe(100);
    now = start;
    expect(await take('usd 2030-01-31', start + DAY_MS)).toBe(0);
    await state.close();
  });

  it('of minutes, and of days long ago, are not kept', async () => {
    let now = start;
    const state = await openSqliteState(path, { clock: () => now });
    const take = (budget: string, endsAt: number) =>
      state.budgets.takeBudget({ budget, limit: 100, wanted: 1, least: 1, endsAt });
    await take('day', start + DAY_MS);
    for (let minute = 1; minute < 10; minute++)
      await take(`minute ${minute}`, start + minute * 60_000);
    now += 2 * DAY_MS;
    await take('day 3', now + DAY_MS);
    const names = (): unknown => {
      using database = new DatabaseSync(path, { readOnly: true });
      return database
        .prepare('SELECT name FROM budgets ORDER BY name')
        .all()
        .map(({ name }) => name);
    };
    expect(names()).toEqual(['day', 'day 3']);
    now += 40 * DAY_MS;
    await take('day 43', now + DAY_MS);
    expect(names()).toEqual(['day 43']);
    await state.close();
  });
});
