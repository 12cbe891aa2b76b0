/**
 * The share of printed commands and outputs of README and guides that a run reproduces. Those that this machine cannot
 * run, because they need a cloud or a cluster, are counted apart.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { followAll } from '../../../scripts/testing/guides/follow.ts';
import { openReader } from '../../../scripts/testing/guides/reader.ts';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';

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
  ],
  async measure({ quick, progress }) {
    // To follow all pages takes more than a short run may.
    if (quick) return { results: {}, details: {} };
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
        },
        details: { guides: { items: items.length, run: run.length, notReproduced, notRun } },
      };
    } finally {
      await folder.remove();
    }
  },
};
