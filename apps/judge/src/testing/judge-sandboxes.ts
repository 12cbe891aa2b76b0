/** The sandboxes of this machine that may run untrusted programs, for suites that run over each. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createBubblewrap, createDocker, type SandboxDriver } from '@skein/server';
import { afterAll } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { type JudgeSandbox, openJudgeSandbox } from '../judging/judge-sandbox.ts';

/** An image with the toolchains; without it a Docker here is of no use to the judge. */
const DOCKER_IMAGE = process.env['SKEIN_JUDGE_IMAGE'];

interface Candidate {
  readonly name: string;
  readonly create: () => SandboxDriver;
  readonly image?: string;
}

/** One row per driver, for `describe.each`; a row that cannot be used here is left out with its reason. */
export function judgeSandboxes(): { name: string; open: () => Promise<JudgeSandbox> }[] {
  const candidates: Candidate[] = [];
  if (!requireComponent('bubblewrap').skip) {
    candidates.push({ name: 'bubblewrap', create: () => createBubblewrap() });
  }
  if (DOCKER_IMAGE !== undefined) {
    candidates.push({ name: 'docker', create: () => createDocker(), image: DOCKER_IMAGE });
  }
  return candidates.map(({ name, create, image }) => {
    let driver: SandboxDriver | undefined;
    let sandbox: Promise<JudgeSandbox> | undefined;
    afterAll(async () => driver?.close());
    const cacheFolder = join(homedir(), '.cache', 'skein-judge');
    const open = (): Promise<JudgeSandbox> =>
      (sandbox ??= openJudgeSandbox((driver ??= create()), { image, cacheFolder }));
    return { name, open };
  });
}
