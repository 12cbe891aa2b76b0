/** Rows that are measured one after another over the same nodes, which take longer to start than to measure. */
import type { RowGroup } from '../harness/row-group.ts';
import { LIMIT } from './limits.ts';
import { startNodes, type SharedRows } from './nodes.ts';
import { SPREAD } from './spread.ts';
import { STORE_AWAY } from './store-away.ts';

/** A limit is asked for at eight of them. */
const NODES = { quick: 8, full: 16 };
/** The store is killed last. */
const ROWS: readonly SharedRows[] = [SPREAD, LIMIT, STORE_AWAY];

export const SHARED: RowGroup = {
  measures: ROWS.flatMap(({ measures }) => measures),
  async measure(options) {
    const count = options.quick ? NODES.quick : NODES.full;
    options.progress(`${count} nodes as processes`);
    const fleet = await startNodes(count);
    try {
      const results: Record<string, number> = {};
      const details: Record<string, unknown> = {};
      for (const rows of ROWS) {
        const measured = await rows.measure(fleet, options);
        Object.assign(results, measured.results);
        Object.assign(details, measured.details);
      }
      return { results, details };
    } finally {
      await fleet.close();
    }
  },
};
