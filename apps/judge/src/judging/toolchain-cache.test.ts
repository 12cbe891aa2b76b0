import { cp, lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { describeOverSandboxes } from '../testing/judge-sandboxes.ts';
import { buildProgram } from './build.ts';
import { LANGUAGES } from '../languages/languages.ts';
import { resumeJudgeSandbox } from './judge-sandbox.ts';
import { isCached, prepareCache } from './toolchain-cache.ts';

const CODE = 'package main\nimport "fmt"\nfunc main() { fmt.Println(1) }\n';
const LIMITS = { wallMs: 60_000, memoryBytes: 2 ** 31 };

describeOverSandboxes('a cache of Go in', (open) => {
  it('explains the wait before it is filled, and is filled once', async () => {
    const { driver } = await open();
    const language = { ...LANGUAGES.find(isCached)!, compile: () => ['mkdir', 'cache'] };
    const messages: string[] = [];
    const options = {
      cacheFolder: testFolder(),
      onFilling: (message: string) => messages.push(message),
    };
    const folder = await prepareCache(language, 'go1', driver, options);
    expect(folder).toContain(options.cacheFolder);
    expect(await prepareCache(language, 'go1', driver, options)).toBe(folder);
    expect(messages).toEqual([
      'Compiling the standard library of Go, once for this machine: up to a minute.',
    ]);
  });

  it("serves builds when its last clean-up is more than the toolchain's day ago", async ({
    skip,
  }) => {
    const sandbox = await open();
    const cache = sandbox.caches.get('go');
    if (cache === undefined) return skip('no Go here');
    const old = join(testFolder(), 'cache');
    await cp(cache, old, { recursive: true, verbatimSymlinks: true });
    const stamp = join(old, 'trim.txt');
    // Without a stamp of its own, the toolchain cleans up as it does after a day.
    if ((await lstat(stamp)).isFile()) await rm(stamp);
    const aged = resumeJudgeSandbox(sandbox.driver, {
      ...sandbox,
      caches: new Map([['go', old]]),
    });
    const session = await aged.open({
      ...LIMITS,
      pids: 256,
      outputBytes: 2 ** 20,
      fileBytes: 2 ** 26,
      diskBytes: 2 ** 28,
    });
    const content = new TextEncoder().encode(CODE);
    const files = [{ path: 'main.go', content, executable: false }];
    const built = await buildProgram(session, { files }, 'solution', aged, LIMITS);
    await session.close();
    expect(built).toMatchObject({ language: 'go', output: '', ending: { exitCode: 0 } });
  }, 120_000);
});
