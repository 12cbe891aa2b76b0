/** The mutant that counts noise twice: a site that is resumed answers the same round with fresh noise. */
import { join } from 'node:path';
import { audit } from '@skein/train';
import { privateTrainingTarget } from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openSqliteMemory } from '../site/memory/sqlite-memory.ts';
import type { SiteMemory } from '../site/memory/site-memory.ts';
import { askedAgain } from './asked-again.ts';

const RESUMES = 7;

async function audited(change: (memory: SiteMemory) => SiteMemory) {
  const folder = testFolder();
  let trainings = 0;
  const target = privateTrainingTarget({
    backend: nativeBackend,
    noise: 1,
    rounds: 1,
    delta: 1e-5,
    canaries: 1600,
    async asking(sites, plan) {
      trainings += 1;
      const memoryOf = async (site: number) =>
        change(openSqliteMemory(join(folder, `${trainings}-${site}.db`)));
      return askedAgain({ memoryOf, resumes: RESUMES, rounds: 1 })(sites, plan);
    },
  });
  return audit(target);
}

it('finds nothing in sites that are killed and asked again: they answer with the stored noise', async () => {
  const report = await audited((memory) => memory);
  expect(report.findings).toEqual([]);
});

it('flags sites that draw fresh noise for the same sum when they are resumed', async () => {
  const report = await audited((memory) => ({
    ...memory,
    // A kill erases the stored answers.
    answerOf: async () => undefined,
    answerOnce: async (_, answer) => answer,
  }));
  expect(report.verdict).toBe('violated');
  expect(report.findings.join(' ')).toContain('LiRA');
});
