/** The peer DuckDB: a bare process that opens an instance for each request and runs its statements there. */
import { DuckDBInstance } from '@duckdb/node-api';
import type { Reply, Request } from './duckdb.ts';

process.on('message', (request: Request) => {
  void answer(request).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit());

async function answer({ settings, statements }: Request): Promise<Reply> {
  try {
    const instance = await DuckDBInstance.create(':memory:', { ...settings });
    try {
      const connection = await instance.connect();
      let rows: Reply['rows'] = [];
      for (const sql of statements) {
        rows = (await connection.runAndReadAll(sql)).getRowObjectsJson();
      }
      return { rows };
    } finally {
      instance.closeSync();
    }
  } catch (error) {
    return { rows: [], refused: error instanceof Error ? error.message : String(error) };
  }
}
