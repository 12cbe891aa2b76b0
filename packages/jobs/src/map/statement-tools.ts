/** A statement over tables, and the means of running it. */
import type { Ask } from '@skein/data';
import type { DataFormat } from '@skein/data/data-set';
import type { z } from 'zod';
import type { Builtin } from '../tasks/builtin.ts';
import type { MapInput } from './map-input.ts';
import type { JobTable } from './job-table.ts';

export interface Tools {
  /** Jobs that run at once. */
  readonly slots: number;
  /** Memory of a job. */
  readonly memoryBytes: number;
  /** The least that is worth a job of its own. */
  readonly pieceBytes: number;
  /** Whether each file is a piece, so that a later map takes the kept results of the same files. */
  readonly isByFile: boolean;
  /** Receives what is done, and why. */
  readonly plan: string[];
  readonly ask: Ask;
  /** Runs a job for each input, behind the jobs of the call before. @returns what they returned, in order. */
  readonly run: <I extends z.ZodType, O extends z.ZodType>(
    stage: string,
    task: Builtin<I, O>,
    inputs: readonly Readonly<Record<string, unknown>>[],
    isShown?: boolean,
  ) => Promise<z.output<O>[]>;
}

export interface StatementOver {
  readonly sql: string;
  readonly tables: Readonly<Record<string, JobTable>>;
  readonly group: MapInput['group'];
  readonly format: DataFormat;
  /** Columns whose values name the folders of the result. */
  readonly folders?: readonly string[] | undefined;
  /** Only plans. */
  readonly explain: boolean;
}

/** The part of a job's input that a partitioned result needs. */
export const into = (folders: readonly string[] | undefined): { folders?: string[] } =>
  folders === undefined ? {} : { folders: [...folders] };

/** The view of a statement over rows that are brought together. */
export const PART = 'part';
