/**
 * Tables of Parquet files, through hyparquet: one row group at a time, so that beside the table only
 * one group is in memory. Flat columns of numbers, booleans and texts; dates become texts.
 */
import {
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type AsyncBuffer,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { TrainError } from '../train-error.ts';
import { tableBuilder } from './table-builder.ts';
import type { Table, TableOptions } from './table.ts';

/** Reads byte ranges on request, like a file on disk. */
export type RandomAccess = AsyncBuffer;

/** @throws TrainError `data` for a damaged file, nested columns, or values that do not fit their column. */
export async function readParquet(file: RandomAccess, options: TableOptions = {}): Promise<Table> {
  const metadata = await reading(() => parquetMetadataAsync(file));
  const { children } = await reading(() => parquetSchema(metadata));
  const names = children.map(({ element }) => element.name);
  const nested = children.find((child) => child.children.length > 0);
  if (nested !== undefined) {
    throw new TrainError('data', `Column '${nested.element.name}' is nested; tables are flat.`);
  }
  const builder = tableBuilder(names, options);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    // One column at a time: when the library fails at one, it leaves the promises of the others
    // unhandled, and their rejections would end the process.
    const columns: (readonly Record<string, unknown>[])[] = [];
    for (const name of names) {
      const options = { file, metadata, compressors, rowStart, rowEnd, columns: [name] };
      columns.push(await reading(() => parquetReadObjects(options)));
    }
    columns[0]?.forEach((_, i) => {
      builder.add(
        rowStart + i + 1,
        names.map((name, at) => plain(columns[at]?.[i]?.[name])),
      );
    });
    rowStart = rowEnd;
  }
  return builder.finish();
}

async function reading<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TrainError('data', `The file cannot be read as Parquet: ${reason}.`, {
      cause: error,
    });
  }
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  return value instanceof Date ? value.toISOString() : value;
}
