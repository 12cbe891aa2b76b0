/**
 * Functions over texts that statements call: MinHash in SQL takes 3 to 30 times as long. They run one after the other, on
 * the main thread of DuckDB's process.
 */
import type * as DuckDb from '@duckdb/node-api';
import { bucketsOf, similarityOf, type Shingles } from '../dedupe/minhash.ts';

type Library = typeof DuckDb;

/**
 * `near_buckets(text, shingles, threshold)`: numbers of buckets; similar texts share a bucket;
 * `near_similarity(one, other, shingles)`: the Jaccard similarity of two texts.
 */
export function addTextFunctions(library: Library, connection: DuckDb.DuckDBConnection): void {
  const { DuckDBListValue, DuckDBScalarFunction, DOUBLE, LIST, VARCHAR } = library;
  const functions = [
    DuckDBScalarFunction.create({
      name: 'near_buckets',
      parameterTypes: [VARCHAR, VARCHAR, DOUBLE],
      returnType: LIST(DOUBLE),
      mainFunction: byRow(
        (text: string, kind: Shingles, threshold: number) =>
          new DuckDBListValue(bucketsOf(text, kind, threshold)),
      ),
    }),
    DuckDBScalarFunction.create({
      name: 'near_similarity',
      parameterTypes: [VARCHAR, VARCHAR, VARCHAR],
      returnType: DOUBLE,
      mainFunction: byRow(similarityOf),
    }),
  ];
  for (const each of functions) {
    connection.registerScalarFunction(each);
    each.destroySync();
  }
}

/** A function of values as one of vectors. A value that is missing makes the result missing. */
function byRow(use: (...values: never[]) => DuckDb.DuckDBValue): DuckDb.DuckDBScalarMainFunction {
  return (_, rows, result) => {
    const columns = Array.from({ length: rows.columnCount }, (__, at) => rows.getColumnVector(at));
    for (let row = 0; row < rows.rowCount; row++) {
      // A vector keeps each text that it has read, and all texts of a chunk may be large.
      const values = columns.map((column) => column.slice(row, 1).getItem(0));
      result.setItem(row, values.includes(null) ? null : use(...(values as never[])));
    }
    result.flush();
  };
}
