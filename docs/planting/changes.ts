/**
 * Changes that `planted-changes.test.ts` makes in a copy of the repository, as a contributor would.
 *
 * An edit puts new lines before the first line that contains `before`. A file without edits is new. `most` is
 * the number of files that CONTRIBUTING names for the change.
 */

export interface Edit {
  readonly before: string;
  readonly add: string;
}

export interface PlantedChange {
  /** The heading in CONTRIBUTING. */
  readonly name: string;
  /** Files by their paths: edits of one that exists, or the text of a new one. */
  readonly files: Readonly<Record<string, readonly Edit[] | string>>;
  /** A test of the change, in the copy. It does not count as a file of the change. */
  readonly test: { readonly path: string; readonly text: string };
}

export const PLANTED_CHANGES: readonly PlantedChange[] = [
  {
    name: 'A setting of a deployment',
    files: {
      'packages/api/src/resources/deployment.ts': [
        {
          before: '    idempotent: z',
          add: "    planted: z.boolean().describe('A planted setting.').default(false),",
        },
        {
          before: '    idempotent: DeploymentSettings.shape.idempotent',
          add: '    planted: DeploymentSettings.shape.planted.unwrap().optional(),',
        },
      ],
      'packages/cli/src/deploying/settings.ts': [
        { before: '  idempotent: choice(', add: "  planted: flag('Plant a setting.')," },
        {
          before: '    idempotent: idempotent ===',
          add: '    planted: given.planted || undefined,',
        },
      ],
      'packages/cli/src/commands/serving/settings.ts': [
        { before: "      ['idempotent',", add: "      ['planted', yesOrNo(each.planted)]," },
      ],
    },
    test: {
      path: 'packages/cli/src/deploying/planted.test.ts',
      text: `import { DeploymentSettings, DeploymentSettingsPatch } from '@skein/api';
import { expect, it } from 'vitest';
import { settingsOf } from './settings.ts';

it('travels from the option to the settings', () => {
  const given = { planted: true } as Parameters<typeof settingsOf>[0];
  expect(DeploymentSettingsPatch.parse(settingsOf(given))).toEqual({ planted: true });
  expect(DeploymentSettings.parse({}).planted).toBe(false);
});
`,
    },
  },
  {
    name: 'A method of the job store',
    files: {
      'packages/jobs/src/contract.ts': [
        {
          before: '  preempt(id: string)',
          add: '  planted(id: string): Promise<Job | undefined>;',
        },
      ],
      'packages/jobs/src/store/sqlite/local-jobs.ts': [
        { before: '  preempt: shown(preempt),', add: '  planted: shown(preempt),' },
      ],
      'packages/jobs/src/store/sqlite/sqlite-jobs.ts': [
        {
          before: '    preempt: async (id)',
          add: "    planted: async (id) => job(await thread.call('planted', id)),",
        },
      ],
      'packages/jobs/src/store/redis/redis-jobs.ts': [
        { before: '    preempt: (id)', add: "    planted: (id) => runJob('planted', id)," },
      ],
      'packages/jobs/src/store/redis/scripts.ts': [
        { before: "  preempt: 'frees',", add: "  planted: 'frees'," },
      ],
      'packages/jobs/src/store/redis/other-contents.test.ts': [
        {
          before: "  preempt: (store) => store.preempt('j'),",
          add: "  planted: (store) => store.planted('j'),",
        },
      ],
      'packages/jobs/src/store/redis/scripts/planted.lua': `-- A planted function. ARGV[3] id. @returns the view of the job, or 0.
local job = load(ARGV[3])
if not job then return 0 end
complete()
return view(job.id)
`,
    },
    test: {
      path: 'packages/jobs/src/store/contract/planted.test.ts',
      text: `import { expect, it } from 'vitest';
import { overEveryStore } from '../testing/every-store.ts';
import { enqueueOne } from '../testing/fixtures.ts';

overEveryStore('a planted method', (at) => {
  it('answers with the job', async () => {
    const id = await enqueueOne(at.store);
    expect(await at.store.planted(id)).toMatchObject({ id });
  });
});
`,
    },
  },
  {
    name: 'A strategy of federations',
    files: {
      'packages/federation/src/plan/kinds/strategies/planted.ts': `import { strategyOf } from '@skein/train/federated';
import { rate } from '../../terms.ts';
import { strategyKind } from './strategy-kind.ts';

/** A planted strategy. */
export const planted = strategyKind(
  'planted',
  { learningRate: rate.default(1) },
  {
    of: ({ learningRate }) => ({
      open: ({ denominator }) => strategyOf('fedavg', { denominator, serverRate: learningRate }),
    }),
  },
);
`,
      'packages/federation/src/plan/kinds/strategies/strategies.ts': [
        { before: 'import { scaffold }', add: "import { planted } from './planted.ts';" },
        { before: '  scaffold,', add: '  planted,' },
      ],
    },
    test: {
      path: 'packages/federation/src/plan/kinds/planted.test.ts',
      text: `import { expect, it } from 'vitest';
import { Strategy } from '../plan.ts';

it('is a strategy of a plan, with its default', () => {
  expect(Strategy.parse({ name: 'planted' })).toEqual({ name: 'planted', learningRate: 1 });
});
`,
    },
  },
  {
    name: 'An error',
    files: {
      'packages/api/src/errors/serving.ts': [
        {
          before: '  DEADLINE_UNREACHABLE: {',
          add: "  PLANTED: { ...INVALID, meaning: 'A planted error.', fix: 'Pull it out.' },",
        },
      ],
    },
    test: {
      path: 'packages/api/src/errors/planted.test.ts',
      text: `import { expect, it } from 'vitest';
import { SkeinError } from '../errors.ts';

it('has its status and its fix', () => {
  expect(new SkeinError('PLANTED', 'x').row).toMatchObject({ http: 400, fix: 'Pull it out.' });
});
`,
    },
  },
];
