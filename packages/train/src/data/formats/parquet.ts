/**
 * Tables of Parquet files, through hyparquet: one row group at a time, so that in addition to the table only
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
import { flaw, tableBuilder } from '../table/table-builder.ts';
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
  const wanted = names.filter((name) => options.wanted?.includes(name) ?? true);
  // With none of the columns there would be no rows: the caller names the missing column.
  const isRead = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const count = Number(group.num_rows);
    const rowEnd = rowStart + count;
    // One column at a time: when the library fails at one, it leaves the promises of the others
    // unhandled, and their rejections would end the process.
    const cells: (readonly Record<string, unknown>[])[] = [];
    for (const [at, { element }] of children.entries()) {
      if (!isRead(element.name)) continue;
      const column = group.columns[at]?.meta_data;
      if (column === undefined || column.path_in_schema?.join('.') !== element.name) {
        throw unreadable('its columns do not match its schema');
      }
      const checked = checkedPages(file, {
        count,
        optional: element.repetition_type !== 'REQUIRED',
        compressed: column.codec !== 'UNCOMPRESSED',
        narrow: column.type === 'INT32',
      });
      const chosen = { metadata, rowStart, rowEnd, columns: [element.name] };
      cells[at] = await reading(() => parquetReadObjects({ ...checked, ...chosen }));
    }
    cells
      .find((each) => each !== undefined)
      ?.forEach((_, i) => {
        const line = rowStart + i + 1;
        const row = names.map((name, at) => {
          const value = plain(cells[at]?.[i]?.[name]);
          if (value !== NO_TIME || !isRead(name)) return value;
          throw flaw(line, name, 'is a time outside the years -271821 to 275760');
        });
        builder.add(line, row);
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

/** In place of a time that JavaScript cannot hold, such as the `infinity` of DuckDB and PostgreSQL. */
const NO_TIME = Symbol('no time');

function plain(value: unknown): unknown {
  // A large number as a text keeps all its digits; they make a column of categories.
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (!(value instanceof Date)) return value;
  return Number.isNaN(value.getTime()) ? NO_TIME : value.toISOString();
}
