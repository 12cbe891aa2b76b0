/** A data set: shards of one format, by their content. Its manifest is an artifact like any other. */
import { credentialIn } from '@skein/api/address-secrets';
import { z } from 'zod';

export const DataFormat = z.enum(['csv', 'jsonl', 'parquet']);
export type DataFormat = z.infer<typeof DataFormat>;

/** DuckDB types by column. */
export const Columns = z.record(z.string(), z.string());
export type Columns = Readonly<z.infer<typeof Columns>>;

/** How CSV writes dates and times, in the words of strptime; absent where DuckDB finds it. */
export const DateFormats = z.object({
  date: z.string().optional(),
  timestamp: z.string().optional(),
});
export type DateFormats = z.infer<typeof DateFormats>;

/** Settings of CSV with their names in DuckDB's `read_csv`; DuckDB finds out those that are absent. */
export const CsvDialect = z
  .strictObject({
    /** Separates the values: `;`. */
    delim: z.string().min(1).max(4),
    quote: z.string().max(1),
    escape: z.string().max(1),
    /** `,` where numbers are written as 1,5. */
    decimal_separator: z.enum(['.', ',']),
    thousands: z.string().length(1),
    /** DuckDB reads these; others are to be converted first. */
    encoding: z.enum(['utf-8', 'utf-16', 'latin-1']),
    /** The text that stands for a missing value. */
    nullstr: z.string(),
    /** False where the first row is data: columns are then column0, column1 and so on. */
    header: z.boolean(),
    /** Rows before the header. */
    skip: z.int().min(0),
    comment: z.string().length(1),
  })
  .partial();
export type CsvDialect = z.infer<typeof CsvDialect>;

export const Piece = z.object({
  /** sha-256 of the artifact, in hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.int().min(0),
  /** Folders of a partitioned set, such as city=Paris/year=2026, with values in percent encoding. */
  folder: z
    .string()
    .regex(/^[^/\\\0=]+=[^/\\\0]*(\/[^/\\\0=]+=[^/\\\0]*)*$/)
    .optional(),
});
export type Piece = z.infer<typeof Piece>;

/** A file where it lies, on the machine of the workers: read, never stored. */
export const PlacedFile = z.object({
  /** Absolute. */
  path: z.string().regex(/^(\/|[A-Za-z]:\\)/),
  sizeBytes: z.int().min(0),
  /** When it was changed, in milliseconds since the epoch: a file that has changed since is refused. */
  modifiedMs: z.number(),
});
export type PlacedFile = z.infer<typeof PlacedFile>;

/** The refusal shows no address: a job's log would have the credential. */
export const Address = z.string().refine((address) => credentialIn(address) === undefined, {
  error: 'The address has a credential: name the variable that holds it by tokenEnv.',
});

/** A file in a bucket or on a server: workers fetch the parts that statements read. */
export const RemoteFile = z.object({
  /** `s3://…`, `gs://…` or `https://…`, without credentials. */
  address: Address.regex(/^[a-z0-9]+:\/\//),
  sizeBytes: z.int().min(0),
  /** Entity tag, generation or time: a file that has another one since the map began is refused. */
  identity: z.string().min(1),
});
export type RemoteFile = z.infer<typeof RemoteFile>;

/** How workers reach remote files; the credentials are in their environments. */
export const RemoteAccess = z.object({
  /** Whether an address may lead to the machine or the network of a worker. */
  allowPrivate: z.boolean().default(false),
  /** The variable of a worker that holds a bearer token for `https://`. */
  tokenEnv: z.string().optional(),
});
export type RemoteAccess = z.infer<typeof RemoteAccess>;

export const DataSet = z.object({
  format: DataFormat,
  /** Types of CSV and JSON lines: the same for all shards, whatever each contains. */
  columns: Columns.optional(),
  csv: CsvDialect.optional(),
  /** In order. Every CSV shard has the header. */
  shards: z.array(Piece),
});
export type DataSet = z.infer<typeof DataSet>;

/** The rows of one table of a statement: stored shards, or files where they lie. */
export const Source = DataSet.extend({
  shards: z.array(z.union([Piece, PlacedFile, RemoteFile])),
  /** Addresses and patterns that a worker replaces by the files to which they lead. */
  addresses: z.array(Address).optional(),
  access: RemoteAccess.optional(),
});
export type Source = z.infer<typeof Source>;

/** The name of a manifest, among the outputs of a map and in a folder. */
export const MANIFEST = 'data-set.json';

/** A manifest in a folder, with the shards as files next to it. */
export const LocalDataSet = DataSet.extend({
  shards: z.array(
    Piece.extend({
      /** A plain name, in `folder`: a manifest from elsewhere must not lead out of its folder. */
      file: z
        .string()
        .regex(/^[^/\\]+$/)
        .optional(),
    }),
  ),
});
export type LocalDataSet = z.infer<typeof LocalDataSet>;
