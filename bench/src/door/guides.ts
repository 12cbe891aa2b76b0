/**
 * The share of printed commands and outputs of README and guides that a run reproduces, and the length of their sentences.
 * Commands that this machine cannot run, because they need a cloud or a cluster, are counted apart.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { followAll } from '../../../scripts/testing/guides/follow.ts';
import { openReader } from '../../../scripts/testing/guides/reader.ts';
import { sentencesOf } from '../../../scripts/words/sentences.ts';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';

const GUIDES = join(import.meta.dirname, '../../../docs/guide');

export const guides: RowGroup = {
  measures: [
    {
      key: 'guide_ok',
      what: 'printed commands and outputs of README and guides that a run reproduces, share of those run',
      unit: '',
      target: { atLeast: 1 },
    },
    {
      key: 'guide_run',
      what: 'printed commands and outputs of README and guides that are run here, share',
      unit: '',
      target: null,
    },
    {
      key: 'words_per_sentence',
      what: 'words of the median sentence, in the guide where it is longest',
      unit: '',
      target: { atMost: 18 },
    },
  ],
  async measure({ quick, progress }) {
    const medians = wordsBySentence();
    const words_per_sentence = Math.max(...Object.values(medians));
    // To follow all pages takes more than a short run may.
    if (quick) return { results: { words_per_sentence }, details: { words: medians } };
    progress('following README and guides');
    const folder = await temporaryFolder();
    try {
      const items = await followAll(() => openReader(mkdtempSync(join(folder.path, 'reader-'))));
      const run = items.filter(({ isExcepted }) => isExcepted !== true);
      const missed = run.filter(({ reason }) => reason !== undefined);
      const notRun: Record<string, number> = {};
      for (const { reason, isExcepted } of items) {
        if (isExcepted) notRun[reason!] = (notRun[reason!] ?? 0) + 1;
      }
      for (const [reason, count] of Object.entries(notRun))
        progress(`not run, ${count}: ${reason}`);
      const notReproduced = missed.map(
        ({ page, line, what, reason }) => `${page}:${line}: ${what}: ${reason}`,
      );
      return {
        results: {
          guide_ok: 1 - missed.length / run.length,
          guide_run: run.length / items.length,
          words_per_sentence,
        },
        details: {
          words: medians,
          guides: { items: items.length, run: run.length, notReproduced, notRun },
        },
      };
    } finally {
      await folder.remove();
    }
  },
};

/** Median of the words per sentence, by guide. */
function wordsBySentence(): Readonly<Record<string, number>> {
  const pages = readdirSync(GUIDES).filter((name) => name.endsWith('.md'));
  return Object.fromEntries(
    pages.map((name) => {
      const sentences = sentencesOf(readFileSync(join(GUIDES, name), 'utf8'));
      return [name, median(sentences.map(({ words }) => words))];
    }),
  );
}
