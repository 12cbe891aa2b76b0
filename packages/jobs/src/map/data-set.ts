/** A data set: shards of one format, by their content. Its manifest is an artifact like any other. */
import { z } from 'zod';

export const DataFormat = z.enum(['csv', 'jsonl', 'parquet']);
export type DataFormat = z.infer<typeof DataFormat>;

/** DuckDB types by column. */
export const Columns = z.record(z.string(), z.string());

/** How CSV writes dates and times, in the words of strptime; absent where DuckDB finds it. */
export const DateFormats = z.object({
  date: z.string().optional(),
  timestamp: z.string().optional(),
});
export type DateFormats = z.infer<typeof DateFormats>;

export const Piece = z.object({
  /** sha-256 of the artifact, in hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.int().min(0),
});
export type Piece = z.infer<typeof Piece>;

export const DataSet = z.object({
  format: DataFormat,
  /** Types of CSV and JSON lines: the same for all shards, whatever each contains. */
  columns: Columns.optional(),
  /** In order. Every CSV shard has the header. */
  shards: z.array(Piece),
});
export type DataSet = z.infer<typeof DataSet>;

/** The name of a manifest, among the outputs of a map and in a folder. */
export const MANIFEST = 'data-set.json';

/** A manifest in a folder, with the shards as files next to it. */
export const LocalDataSet = DataSet.extend({
  shards: z.array(
    Piece.extend({
      /** A plain name: a manifest from elsewhere must not lead out of its folder. */
      file: z
        .string()
        .regex(/^[^/\\]+$/)
        .optional(),
    }),
  ),
});
export type LocalDataSet = z.infer<typeof LocalDataSet>;
