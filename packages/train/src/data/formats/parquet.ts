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
import { dataError, type TrainError } from '../../train-error.ts';
import { checkedPages } from './parquet-pages.ts';
import { tableBuilder } from '../table/table-builder.ts';
import type { Table, TableOptions } from '../table/table.ts';

/** Reads byte ranges on request, like a file on disk. */
export type RandomAccess = AsyncBuffer;

/** @throws TrainError `data` for a damaged file, nested columns, or values that do not fit their column. */
export async function readParquet(file: RandomAccess, options: TableOptions = {}): Promise<Table> {
  const metadata = await reading(() => parquetMetadataAsync(file));
  const { children } = await reading(() => parquetSchema(metadata));
  const names = children.map(({ element }) => element.name);
  const nested = children.find(
    ({ children: parts, element }) => parts.length > 0 || element.repetition_type === 'REPEATED',
  );
  if (nested !== undefined) {
    throw dataError(`Column '${nested.element.name}' is nested; tables are flat.`);
  }
  const builder = tableBuilder(names, options);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const count = Number(group.num_rows);
    const rowEnd = rowStart + count;
    // One column at a time: when the library fails at one, it leaves the promises of the others
    // unhandled, and their rejections would end the process.
    const cells: (readonly Record<string, unknown>[])[] = [];
    for (const [at, { element }] of children.entries()) {
      const column = group.columns[at]?.meta_data;
      if (column === undefined || column.path_in_schema?.join('.') !== element.name) {
        throw unreadable('its columns are not those of its schema');
      }
      const checked = checkedPages(file, {
        count,
        optional: element.repetition_type !== 'REQUIRED',
        compressed: column.codec !== 'UNCOMPRESSED',
      });
      const options = { ...checked, metadata, rowStart, rowEnd, columns: [element.name] };
      cells.push(await reading(() => parquetReadObjects(options)));
    }
    cells[0]?.forEach((_, i) => {
      builder.add(
        rowStart + i + 1,
        names.map((name, at) => plain(cells[at]?.[i]?.[name])),
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
    throw unreadable(error instanceof Error ? error.message : String(error), error);
  }
}

function unreadable(reason: string, cause?: unknown): TrainError {
  return dataError(`The file cannot be read as Parquet: ${reason}.`, { cause });
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  return value instanceof Date ? value.toISOString() : value;
}
