/** The noised counts of a federation that counts, and what follows from them. */
import { z } from 'zod';

const Numbers = z
  .strictObject({
    counts: z.array(z.number()).describe('With noise: not whole, and may be below 0.'),
    deviation: z.number().describe('Standard deviation of the noise of each.'),
  })
  .meta({ id: 'NoisyCounts' });

const Axis = z.strictObject({
  kind: z.enum(['score', 'label', 'column']),
  name: z.string(),
  borders: z
    .array(z.number())
    .describe('Of bins of numbers, one more than bins; a cell for rows without a value follows.')
    .optional(),
  categories: z
    .array(z.string())
    .describe('Of bins of categories; with a column, a cell for all others follows.')
    .optional(),
});

const Part = {
  name: z.string().describe('`all sites`, the pseudonym of a site, or `sex = f`.'),
  kind: z.enum(['all', 'site', 'group']),
  rows: z.number().nullable().describe('Null: fewer than 10.'),
};

const Scored = z
  .strictObject({
    ...Part,
    unscored: z.number().nullable().describe('Rows to which the model gave no score.'),
    temperature: z
      .strictObject({
        temperature: z.number().describe('The divisor of logits, drawn towards 1.'),
        estimate: z.number(),
        deviation: z.number().nullable().describe('Of the logarithm of the estimate.'),
      })
      .optional(),
    quantile: z
      .strictObject({
        quantile: z.number().describe('A class is in the set if 1 − p is at most this.'),
        logit: z.number(),
        rows: z.number(),
        rank: z.number(),
      })
      .describe('Absent: only the set of all classes keeps the promise.')
      .optional(),
    calibration: z
      .strictObject({
        bins: z.array(
          z.strictObject({
            low: z.number(),
            high: z.number(),
            predicted: z.number(),
            rows: z.number(),
            observed: z.number(),
          }),
        ),
        error: z.number().describe('Expected calibration error over these bins.'),
        brier: z.number(),
        deviation: z.number().describe('Standard deviation of `brier`.'),
        rows: z.number(),
      })
      .optional(),
    ranking: z
      .strictObject({
        auc: z.number(),
        low: z.number().describe('Bins hide the order of their rows.'),
        high: z.number(),
        deviation: z.number().describe('By noise and by the number of rows.'),
      })
      .optional(),
    decisions: z
      .strictObject({
        threshold: z.number().describe('A logit: a border of the bins.'),
        sensitivity: z.number(),
        specificity: z.number(),
        ppv: z.number().optional(),
        alerts: z.number().describe('Share of all rows above the threshold.'),
        deviations: z.strictObject({
          sensitivity: z.number(),
          specificity: z.number(),
          ppv: z.number().optional(),
        }),
      })
      .optional(),
  })
  .meta({ id: 'ScoredPart' });

const Column = z.strictObject({
  name: z.string(),
  parts: z.array(
    z.strictObject({
      ...Part,
      quantiles: z.array(z.strictObject({ level: z.number(), low: z.number(), high: z.number() })),
      counts: z.array(z.strictObject({ name: z.string(), rows: z.number().nullable() })),
      drift: z
        .strictObject({
          distance: z.number().describe('Half of the summed differences of shares.'),
          p: z.number().describe('Of a distance so large by chance and noise alone.'),
        })
        .describe('Of a site, to all others.')
        .optional(),
    }),
  ),
});

export const FederationStatistics = z
  .strictObject({
    plan: z.string().describe('Digest of the plan.'),
    model: z.string().describe('Digest of the model that gives the scores.'),
    digest: z.string().describe('`after` of the round in the ledger.'),
    sites: z.array(z.string()).describe('Pseudonyms of the sites whose rows are counted.'),
    tables: z.array(
      z.strictObject({
        axes: z.array(Axis),
        pooled: Numbers,
        sites: z.record(z.string(), Numbers).describe('Where the plan counts by site.'),
      }),
    ),
    report: z
      .array(
        z.strictObject({
          axes: z.array(z.string()),
          scored: z.array(Scored).describe('Of a table with score and label.'),
          columns: z.array(Column),
        }),
      )
      .describe('By table; what has fewer than 10 rows is left out.'),
  })
  .meta({ id: 'FederationStatistics' });
export type FederationStatistics = z.infer<typeof FederationStatistics>;
