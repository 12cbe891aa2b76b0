/** The order of test files: long ones begin first, so that none runs alone at the end while cores are idle. */
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take more than 30 seconds on two cores, the longest first. */
export const LONG_TESTS: readonly string[] = [
  'docs/readme.test.ts',
  'packages/edge/src/page/hundred-updates.test.ts',
  'deploy/container/container.test.ts',
  'apps/judge/src/verify/verify.test.ts',
  'deploy/try-fleet/podman.test.ts',
  'apps/judge/src/judging/judge.test.ts',
  'docs/site-pages.test.ts',
  'docs/planted-changes.test.ts',
  'packages/cli/src/commands/training/train-group.test.ts',
  'packages/cli/src/commands/jobs/jobs.test.ts',
  'packages/edge/src/page/page.test.ts',
  'packages/cli/src/commands/jobs/run.test.ts',
  'packages/server/src/faults/input/hostile-models.test.ts',
  'packages/sandbox/src/contract/commands.test.ts',
  'examples/edge-ocr/edge-ocr.test.ts',
  'packages/cli/src/commands/jobs/map.test.ts',
  'packages/server/src/faults/process/sigterm-any-time.test.ts',
  'packages/server/src/faults/fleet/start-without.test.ts',
  'packages/sandbox/src/hostile/hostile.test.ts',
  'packages/cli/src/commands/federation/join-images.test.ts',
  'packages/cli/src/commands/training/train-jobs.test.ts',
  'packages/sandbox/src/kubernetes/kubernetes.test.ts',
  'packages/cli/src/commands/node/node.test.ts',
  'examples/pytorch-ddp/gang.test.ts',
  'apps/judge/src/service/serve.test.ts',
  'apps/health/src/cli/demo.test.ts',
  'packages/server/src/faults/fleet/wake.test.ts',
  'packages/server/src/faults/fleet/rounds.test.ts',
  'packages/jobs/src/faults/kill-9.test.ts',
  'docs/newcomer.test.ts',
];

export class LongestFirst extends BaseSequencer {
  /** First those with a process of their own, and of each kind the long ones: short ones then fill every core to the end. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const place = LONG_TESTS.indexOf(relative(this.ctx.config.root, moduleId));
      const kind = project.config.isolate ? 0 : LONG_TESTS.length + 1;
      return kind + (place < 0 ? LONG_TESTS.length : place);
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
