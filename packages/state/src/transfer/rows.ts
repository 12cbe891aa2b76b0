/**
 * The records of a state as rows that another state can take over, with their numbers, revisions
 * and times. An export is a list of them; the schemas refuse whatever no state would hold.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { DeploymentSettings, Name, Run } from '@skein/api';
import { z } from 'zod';
import type {
  AuditEntry,
  DeclarationRecord,
  DeploymentRecord,
  HistoryEntry,
  KeyRecord,
  Tombstone,
  VersionRecord,
} from '../records.ts';

/** A record that is restored as it was; `addKey`, `putRun` and `putDeclaration` do the same for the others. */
export type RestoredRow =
  | { readonly kind: 'version'; readonly record: VersionRecord }
  /** The last number that was given to a version of a model. */
  | { readonly kind: 'counter'; readonly record: VersionCounter }
  | { readonly kind: 'history'; readonly record: Omit<HistoryEntry, 'id'> }
  | { readonly kind: 'audit'; readonly record: Omit<AuditEntry, 'id'> }
  /** With its earlier revisions, newest first. */
  | {
      readonly kind: 'deployment';
      readonly record: DeploymentRecord;
      readonly earlier: readonly DeploymentRecord[];
    }
  | { readonly kind: 'tombstone'; readonly record: Tombstone };

export type StoredRow =
  | RestoredRow
  | { readonly kind: 'key'; readonly record: KeyRecord }
  | { readonly kind: 'run'; readonly record: Run }
  | { readonly kind: 'declaration'; readonly record: DeclarationRecord };

export interface VersionCounter {
  readonly model: string;
  readonly last: number;
}

export type RowKind = StoredRow['kind'];

/** In the order of an import: what a row names comes before it. */
export const ROW_KINDS = [
  'counter',
  'version',
  'key',
  'declaration',
  'audit',
  'history',
  'run',
  'tombstone',
  'deployment',
] as const satisfies readonly RowKind[];

export const Digest = z.string().regex(/^[0-9a-f]{64}$/, 'is not a sha-256 in hex');
const At = z.iso.datetime();
const Positive = z.int().positive();
const Tensors = z.array(
  z.object({
    name: z.string(),
    type: z.string(),
    shape: z.array(z.union([z.int().nonnegative(), z.string(), z.null()])),
  }),
);

const Version = z.strictObject({
  model: Name,
  version: z.string().regex(/^[1-9][0-9]{0,14}$/),
  kind: z.enum(['onnx', 'composition']),
  digest: Digest,
  sizeBytes: z.int().nonnegative(),
  signature: z.object({ inputs: Tensors, outputs: Tensors }),
  metadata: z.record(z.string(), z.string()),
  createdAt: At,
});

const Targets = z.array(z.strictObject({ version: z.string(), weight: z.number().nonnegative() }));

const Deployment = z.strictObject({
  name: Name,
  settings: DeploymentSettings,
  targets: Targets,
  unloaded: z.literal(true).optional(),
  rollout: z.record(z.string(), z.unknown()).optional(),
  revision: Positive,
  updatedAt: At,
});

const Key = z.strictObject({
  id: z.string().min(1).max(256),
  secretHash: z.string().min(1),
  label: z.string(),
  tenant: z.string().min(1),
  scopes: z.array(z.enum(['infer', 'read', 'jobs', 'admin'])),
  ratePerSecond: z.number().positive().optional(),
  maxConcurrent: z.number().positive().optional(),
  weight: z.number().positive().optional(),
  createdAt: At,
  expiresAt: At.optional(),
  revokedAt: At.optional(),
});

const History = z.strictObject({
  at: At,
  deployment: z.string(),
  kind: z.string(),
  reason: z.string(),
  details: z.record(z.string(), z.unknown()),
  actor: z.string(),
});

const Audit = z.strictObject({
  at: At,
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  outcome: z.string(),
  remote: z.string(),
});

const Row = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('version'), record: Version }),
  z.strictObject({
    kind: z.literal('counter'),
    record: z.strictObject({ model: Name, last: Positive }),
  }),
  z.strictObject({ kind: z.literal('history'), record: History }),
  z.strictObject({ kind: z.literal('audit'), record: Audit }),
  z.strictObject({
    kind: z.literal('deployment'),
    record: Deployment,
    earlier: z.array(Deployment),
  }),
  z.strictObject({
    kind: z.literal('tombstone'),
    record: z.strictObject({ name: Name, revision: Positive }),
  }),
  z.strictObject({ kind: z.literal('key'), record: Key }),
  z.strictObject({ kind: z.literal('run'), record: Run }),
  z.strictObject({
    kind: z.literal('declaration'),
    record: z.strictObject({
      kind: z.string().min(1).max(64),
      name: z.string().min(1).max(256),
      value: z.record(z.string(), z.unknown()),
      updatedAt: At,
    }),
  }),
]);

/**
 * A row as it was written: the schema checks it and changes nothing in it.
 * @throws Error with the first thing that is wrong, without its value, which may be a secret.
 */
export function readRow(line: string): StoredRow {
  let row: unknown;
  try {
    row = readJson(line, JSON_BOUNDS.stored);
  } catch {
    throw new Error('is not JSON');
  }
  const { error } = Row.safeParse(row);
  if (error === undefined) return row as StoredRow;
  const [issue] = error.issues;
  throw new Error(`has a wrong ${issue?.path.join('.') || 'kind'}`);
}

/** The calls of a backend of `State` for exports and imports. */
export interface TransferStore {
  versionCounters(): Promise<VersionCounter[]>;
  /**
   * Writes rows as they are, in one transaction: replaces what has the same name, adds entries of
   * history and audit. The caller has decided what may be replaced.
   */
  restore(rows: readonly RestoredRow[]): Promise<void>;
}
