import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
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
