/** The share of printed commands and outputs of README and guides that a run reproduces. */
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
      what: 'printed commands and outputs of README and guides that a run reproduces, share',
      unit: '',
      target: { atLeast: 1 },
    },
  ],
  async measure({ progress }) {
    progress('following README and guides');
    const folder = await temporaryFolder();
    try {
      const items = await followAll(() => openReader(mkdtempSync(join(folder.path, 'reader-'))));
      const missed = items.filter(({ reason }) => reason !== undefined);
      const notReproduced = missed.map(
        ({ page, line, what, reason }) => `${page}:${line}: ${what}: ${reason}`,
      );
      return {
        results: { guide_ok: 1 - missed.length / items.length },
        details: { guides: { items: items.length, notReproduced } },
      };
    } finally {
      await folder.remove();
    }
  },
};
