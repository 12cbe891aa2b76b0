/** Data sets: named tables whose versions never change, each by the digest of its manifest. */
import { z } from 'zod';
import { Digest } from './artifact.ts';
import { Name } from './deployment.ts';
import { VersionNumber } from '../endpoints/parameters.ts';

const Time = z.string().max(40).describe('ISO 8601, UTC.');
const Text = z.string().max(4096);

export const DataColumn = z
  .strictObject({
    name: z.string().max(1024),
    type: z.string().min(1).max(16_384).describe('A type of DuckDB, such as `DOUBLE`.'),
  })
  .meta({ id: 'DataColumn' });
export type DataColumn = z.infer<typeof DataColumn>;

export const DataFile = z
  .strictObject({
    digest: Digest.describe('sha-256 of the content; the artifact, unless there is a path.'),
    sizeBytes: z.int().min(0),
    path: Text.describe('Absolute path of a file that is read where it lies.').optional(),
    modifiedMs: z
      .number()
      .describe('When a file with a path was changed, in milliseconds since the epoch.')
      .optional(),
  })
  .meta({ id: 'DataFile' });
export type DataFile = z.infer<typeof DataFile>;

/** The contents of a version. Equal contents have equal manifests. */
export const DataManifest = z
  .strictObject({
    format: z.enum(['csv', 'jsonl', 'parquet']),
    columns: z.array(DataColumn).max(4096).describe('In order.'),
    csv: z
      .record(z.string().max(64), z.union([z.string().max(64), z.int(), z.boolean()]))
      .describe('Settings of CSV, by their names in DuckDB.')
      .optional(),
    rows: z.int().min(0),
    files: z.array(DataFile).min(1).max(8000).describe('In order.'),
  })
  .meta({ id: 'DataManifest' });
export type DataManifest = z.infer<typeof DataManifest>;

/** A version exactly: the digest stands for its contents, whatever becomes of the name. */
export const DataVersionName = z
  .strictObject({ name: Name, version: VersionNumber, manifest: Digest })
  .meta({ id: 'DataVersionName' });
export type DataVersionName = z.infer<typeof DataVersionName>;

export const DataOrigin = z
  .strictObject({
    files: z.array(Text).max(100).describe('Files and patterns, as they were given.').optional(),
    versions: z.array(DataVersionName).max(100).describe('Versions that it is made of.').optional(),
    job: z.string().max(256).describe('The job that made it.').optional(),
    statement: z
      .string()
      .max(262_144)
      .describe('The statement or the command of that job.')
      .optional(),
  })
  .meta({ id: 'DataOrigin' });
export type DataOrigin = z.infer<typeof DataOrigin>;

export const DataVersion = DataVersionName.extend({
  format: DataManifest.shape.format,
  rows: z.int(),
  files: z.int().describe('Number of files.'),
  sizeBytes: z.int(),
  inPlace: z.boolean().describe('Whether its files are read where they lie.'),
  createdAt: Time,
  by: z.string().max(256).describe('Id of the key that added it, or `local`.'),
  note: Text,
  from: DataOrigin,
}).meta({ id: 'DataVersion' });
export type DataVersion = z.infer<typeof DataVersion>;

const DataUses = z
  .strictObject({
    versions: z.array(DataVersionName).describe('Versions of data sets that are made of it.'),
    runs: z.array(
      z.strictObject({
        id: z.string(),
        status: z.string(),
        models: z
          .array(z.strictObject({ model: z.string(), version: z.string() }))
          .describe('Versions of models that the run became.'),
      }),
    ),
  })
  .meta({ id: 'DataUses' });
export type DataUses = z.infer<typeof DataUses>;

export const DataVersionDetail = DataVersion.extend({
  contents: DataManifest,
  uses: DataUses,
}).meta({ id: 'DataVersionDetail' });
export type DataVersionDetail = z.infer<typeof DataVersionDetail>;
