/** The sandboxes of this machine that may run untrusted programs, for suites that run over each. */
import type { SandboxDriver } from '@skein/sandbox';
import { afterAll, describe } from 'vitest';
import { type Component, requireComponent } from '../../../../scripts/testing/components.ts';
import { judgeCacheFolder } from '../judging/cache-folder.ts';
import { createJudgeDriver, JUDGE_DRIVERS, type JudgeDriver } from '../judging/drivers.ts';
import { type JudgeSandbox, openJudgeSandbox } from '../judging/judge-sandbox.ts';

/** The component that a driver needs for its tests; one that is not listed is tested everywhere. */
const NEEDED: Readonly<Partial<Record<JudgeDriver, Component>>> = {
  bubblewrap: 'bubblewrap',
  docker: 'judge-image',
};

/** The drivers that can be used here; prints the reason for each that cannot. */
export function judgeDrivers(): JudgeDriver[] {
  return JUDGE_DRIVERS.filter((name) => {
    const needed = NEEDED[name];
    return needed === undefined || !requireComponent(needed).skip;
  });
}

/** A suite over every driver; with one that cannot be used here it is reported as skipped. */
export function describeOverDrivers(title: string, suite: (driver: JudgeDriver) => void): void {
  const usable = judgeDrivers();
  for (const name of JUDGE_DRIVERS) {
    describe(`${title} ${name}`, { skip: !usable.includes(name) }, () => {
      suite(name);
    });
  }
}

/** The same with a sandbox of the driver, whose tests run side by side. */
export function describeOverSandboxes(
  title: string,
  suite: (open: () => Promise<JudgeSandbox>, driver: JudgeDriver) => void,
): void {
  describeOverDrivers(title, (name) => {
    let driver: SandboxDriver | undefined;
    let sandbox: Promise<JudgeSandbox> | undefined;
    const prepare = async (): Promise<JudgeSandbox> => {
      driver = await createJudgeDriver(name);
      return openJudgeSandbox(driver, { cacheFolder: judgeCacheFolder() });
    };
    afterAll(async () => driver?.close());
    describe('side by side', { concurrent: true }, () => {
      suite(() => (sandbox ??= prepare()), name);
    });
  });
}
