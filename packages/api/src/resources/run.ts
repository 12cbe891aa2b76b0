/** Training runs: model, data, metrics, and the versions that they produced. */
import { z } from 'zod';
import { DataVersionName } from './data-set.ts';
import { Name } from './deployment.ts';

export const RunId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1–63 of a–z, 0–9, "-"')
  .describe('Id of the run.');

export const RunStatus = z
  .enum(['running', 'finished', 'interrupted', 'failed'])
  .describe('`interrupted`: it has a checkpoint from which it can resume.');
export type RunStatus = z.infer<typeof RunStatus>;

const Digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha-256 in hex');
const Metrics = z.record(z.string().min(1).max(64), z.number());
const Time = z.string().max(40).describe('ISO 8601, UTC.');
const Text = z.string().max(4096);

export const RunEpoch = z
  .strictObject({
    epoch: z.int().min(1).describe('Counted from 1.'),
    loss: z
      .number()
      .describe('Mean loss of the training rows, each computed before the step that used it.'),
    learningRate: z.number().describe('Of the epoch’s last step.'),
    tookMs: z.number().min(0),
    metrics: Metrics.describe('Of the validation rows: `validationLoss`, `accuracy`, `rmse`, …'),
  })
  .meta({ id: 'RunEpoch' });
export type RunEpoch = z.infer<typeof RunEpoch>;

export const RunReport = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('classification'),
      rows: z.int(),
      loss: z.number().describe('Mean negative logarithm of the true class’s probability.'),
      accuracy: z.number(),
      macroF1: z.number(),
      auc: z.number().describe('Of class 1 against class 0; only with two classes.').optional(),
      classes: z.array(z.string().max(256)).max(10_000),
      confusion: z
        .array(z.array(z.int()))
        .max(100)
        .describe(
          'Counts by true class (row) and predicted class (column); empty beyond 100 classes.',
        ),
      calibration: z.strictObject({
        error: z.number().describe('Expected calibration error.'),
        brier: z.number(),
        bins: z.array(
          z.strictObject({ count: z.int(), confidence: z.number(), frequency: z.number() }),
        ),
      }),
    }),
    z.strictObject({
      kind: z.literal('regression'),
      rows: z.int(),
      loss: z.number().describe('Mean of the loss that the training minimised.'),
      mae: z.number().describe('Mean absolute error.'),
      rmse: z.number().describe('Root of the mean squared error.'),
      r2: z
        .number()
        .nullable()
        .describe('Share of the variance that is explained; null when there is none.'),
    }),
  ])
  .describe('The quality of the model on rows that it was not trained on.')
  .meta({ id: 'RunReport' });
export type RunReport = z.infer<typeof RunReport>;

const DataSource = z.strictObject({
  role: z.enum(['training', 'labels', 'validation', 'validationLabels']),
  path: Text.describe('As it was given.'),
  digest: Digest.describe('sha-256 of the file, or of the names and contents of a folder.'),
  rows: z.int().describe('Rows used; those that were dropped are not counted.'),
  version: DataVersionName.describe('The version of a data set that was given.').optional(),
});

export const Lineage = z
  .strictObject({
    data: z.array(DataSource).max(16),
    parent: z
      .strictObject({
        path: Text.describe('The model file, or how the model was built.'),
        digest: Digest.describe('Digest of the model that training began with.'),
      })
      .describe('The parent version, with the digest of its file.'),
    seed: z.int(),
    code: z.strictObject({
      skein: z.string().max(64).describe('Version of Skein.'),
      commit: z
        .string()
        .max(64)
        .describe('Commit of the working folder; ends with `+` when files differ from it.')
        .optional(),
      config: Digest.describe('Digest of the configuration file.').optional(),
    }),
    environment: z.strictObject({
      host: z.string().max(256),
      platform: z.string().max(64),
      cpu: z.string().max(256),
      node: z.string().max(64),
      onnxRuntime: z.string().max(64),
    }),
  })
  .meta({ id: 'Lineage' });
export type Lineage = z.infer<typeof Lineage>;

export const Run = z
  .strictObject({
    id: RunId,
    name: z.string().min(1).max(128),
    status: RunStatus,
    reason: Text.describe('Why it ended; empty otherwise.'),
    task: z.enum(['classification', 'binary', 'regression']),
    plan: z
      .record(z.string().max(64), z.union([Text, z.number(), z.boolean()]))
      .describe('Every option of the run.'),
    lineage: Lineage,
    steps: z.strictObject({ done: z.int(), planned: z.int() }),
    newest: z
      .strictObject({ step: z.int().min(1), loss: z.number(), learningRate: z.number() })
      .describe('A recent step, while it runs; reported about once a second.')
      .optional(),
    epochs: z.array(RunEpoch).max(2000).describe('Oldest first; thinned out beyond 2000.'),
    result: z
      .strictObject({
        digest: Digest.describe('Digest of the trained model and of its version.'),
        sizeBytes: z.int(),
        bestEpoch: z.int().min(1).optional(),
        report: RunReport.optional(),
      })
      .optional(),
    versions: z
      .array(z.strictObject({ model: Name, version: z.string().max(10), at: Time }))
      .max(100)
      .describe('The deployment and version that it became.'),
    process: z
      .strictObject({ host: z.string().max(256), pid: z.int() })
      .describe('The machine and folder where it runs, or ran last.'),
    startedAt: Time,
    updatedAt: Time,
  })
  .meta({ id: 'Run' });
export type Run = z.infer<typeof Run>;

export const RunSummary = Run.omit({ epochs: true })
  .extend({ last: RunEpoch.describe('The newest epoch.').optional() })
  .meta({ id: 'RunSummary' });
export type RunSummary = z.infer<typeof RunSummary>;

/** A run without the list of its epochs. */
export function summaryOf({ epochs, ...run }: Run): RunSummary {
  const last = epochs.at(-1);
  return { ...run, ...(last === undefined ? {} : { last }) };
}
