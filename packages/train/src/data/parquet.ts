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
import { parquetHeader } from 'hyparquet/src/column.js';
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
    const count = Number(group.num_rows);
    const rowEnd = rowStart + count;
    const checked: RandomAccess = {
      byteLength: file.byteLength,
      async slice(start, end) {
        const pages = await file.slice(start, end);
        checkPages(pages, count);
        return pages;
      },
    };
    // One column at a time: when the library fails at one, it leaves the promises of the others
    // unhandled, and their rejections would end the process.
    const cells: (readonly Record<string, unknown>[])[] = [];
    for (const name of names) {
      const columns = [name];
      const options = { file: checked, metadata, compressors, rowStart, rowEnd, columns };
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

/**
 * The library trusts the sizes in the headers of pages: one without a size would keep it at the same
 * byte for ever.
 *
 * @param pages the bytes of one flat column in one row group.
 * @param count the rows of the group.
 * @throws Error unless the pages lie within the bytes and have no more than these rows.
 */
function checkPages(pages: ArrayBuffer, count: number): void {
  const reader = { view: new DataView(pages), offset: 0 };
  for (let rows = 0; rows < count && reader.offset < pages.byteLength - 1;) {
    const header = parquetHeader(reader);
    const { compressed_page_size: size, uncompressed_page_size: unpacked } = header;
    rows += (header.data_page_header ?? header.data_page_header_v2)?.num_values ?? 0;
    reader.offset += size;
    if (!(size >= 0 && unpacked >= 0 && reader.offset <= pages.byteLength && rows <= count)) {
      throw new Error('the header of a page does not fit its column');
    }
  }
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
