import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@skein/api';
import { describe, expect, it } from 'vitest';
import { mountTinyDisk, tinyDisk } from '../../../../state/src/testing/tiny-disk.ts';
import { runCli, startCli } from '../../testing/cli.ts';

const WDBC = join(import.meta.dirname, '../../../../../examples/wdbc/wdbc.csv');

describe.skipIf(tinyDisk.skip)(`a full disk ${tinyDisk.reason}`, () => {
  it('stops a run with its last checkpoint, and the run resumes from it to the same bits', async () => {
    using disk = mountTinyDisk('size=2m');
    const cwd = disk.folder;
    await copyFile(WDBC, join(cwd, 'wdbc.csv'));
    const plan = ['--label', 'diagnosis', '--epochs', '200', '--checkpoint-every', '5'];
    const args = ['train', '--model', 'mlp:16', '--data', 'wdbc.csv', ...plan, '--json'];
    const whole = JSON.parse((await runCli([...args, '--out', 'whole.onnx'], { cwd })).stdout) as {
      run: Run;
    };

    const cut = startCli([...args, '--name', 'cut', '--out', 'cut.onnx'], { cwd });
    await cut.saw(/^ +3 /m);
    // Fills the remaining space, by halves, down to the last byte.
    for (let size = 2 ** 20, i = 0; size >= 1; i++) {
      const ballast = join(cwd, `ballast-${i}`);
      const fits = await writeFile(ballast, Buffer.alloc(size)).then(
        () => true,
        () => false,
      );
      if (!fits) await rm(ballast, { force: true });
      if (!fits) size = Math.floor(size / 2);
    }
    const { code, stdout } = await cut.ended;
    expect({ code, error: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 1,
      error: { code: 'STORAGE_FULL' },
    });

    for (let i = 0; i < 60; i++) await rm(join(cwd, `ballast-${i}`), { force: true });
    const resumed = JSON.parse(
      (await runCli(['train', '--resume', 'cut', '--out', 'cut.onnx', '--json'], { cwd })).stdout,
    ) as { run: Run };
    expect(resumed.run.status).toBe('finished');
    expect(resumed.run.result?.digest).toBe(whole.run.result?.digest);
  });

  it('refuses rows that fit neither into memory nor onto it, and takes no space after that', async () => {
    using disk = mountTinyDisk('size=256k');
    const cwd = disk.folder;
    const args = ['train', '--model', 'mlp', '--data', WDBC, '--label', 'diagnosis', '--json'];
    const { code, stdout } = await runCli([...args, '--memory', '1B'], { cwd });
    expect({ code, error: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 1,
      error: { code: 'STORAGE_FULL' },
    });
    await writeFile(join(cwd, 'others'), Buffer.alloc(200 * 1024));
  });
});
