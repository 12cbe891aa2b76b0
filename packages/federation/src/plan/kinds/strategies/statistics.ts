/**
 * Counts of rows over published bins, in place of a training: each row is in exactly one cell of each table. The one round
 * sends the counts of a site in the masked sum of a training's update, with the same noise and the same account.
 */
import { strategyOf } from '@skein/train/federated';
import { tablesText } from '../../../statistics/axes.ts';
import { COUNT_OPTIONS } from '../../../statistics/terms.ts';
import { strategyKind } from './strategy-kind.ts';

export const statistics = strategyKind('statistics', COUNT_OPTIONS, {
  needs: {
    hiddenUpdates: 'counts the rows of each site',
    wholeUpdates: 'counts each row in one cell',
    everySite: 'counts each row',
    countedRows: 'counts rows one by one',
  },
  of: (own) => ({
    counts: own,
    when: 'Once,',
    // From counts of zero, the sum divided by 1 is the counts.
    open: () => strategyOf('fedavg', { denominator: 1 }),
    words: (_, { site }) => {
      const { tables, bySite, patient } = own;
      const of = bySite ? `the rows of ${site} by themselves` : 'the rows of all sites together';
      return {
        facts: [
          ['counts', `${tablesText(tables)}; ${bySite ? 'for each site' : 'over all sites'}`],
          ...(patient === undefined
            ? []
            : [
                [
                  'patients',
                  `at most ${patient.rows} ${patient.rows === 1 ? 'row' : 'rows'} of each patient count (column ${patient.column}), so that the budget holds for a patient`,
                ] as const,
              ]),
        ],
        leaves: [`With noise, how many of ${of} are in each cell: ${tablesText(tables)}.`],
        stays: ['The score of each row, and each exact count.'],
      };
    },
  }),
});
