/** DuckDB in a process of its own: it makes the tables, is the peer, and checks the rows of both sides. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Absolute paths by the names that statements have for the tables. */
export type Tables = Readonly<Record<string, string>>;

export interface Request {
  /** The instance's settings; absent: DuckDB's defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly statements: readonly string[];
}

export interface Reply {
  /** Rows of the last statement. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly refused?: string;
}

export interface DuckDb {
  /** One request at a time. @throws Error with DuckDB's message. */
  readonly ask: (request: Request) => Promise<Reply['rows']>;
  readonly close: () => Promise<void>;
}

export function startDuckDb(): DuckDb {
  const child = fork(join(import.meta.dirname, 'duckdb-process.ts'), { execArgv: [] });
  const ended = once(child, 'exit');
  return {
    async ask(request) {
      child.send(request);
      const lost = ended.then(() => {
        throw new Error('The process of DuckDB has ended.');
      });
      const [{ rows, refused }] = (await Promise.race([once(child, 'message'), lost])) as [Reply];
      if (refused !== undefined) throw new Error(`DuckDB: ${refused}`);
      return rows;
    },
    async close() {
      child.disconnect();
      await ended;
    },
  };
}

/**
 * Statements that make the tables views.
 * @param csvBufferBytes of each thread that reads CSV; default: DuckDB's, 32 MiB.
 */
export const viewsOf = (tables: Tables, csvBufferBytes?: number): string[] =>
  Object.entries(tables).map(([name, path]) => {
    const isBounded = csvBufferBytes !== undefined && path.endsWith('.csv');
    const from = isBounded ? `read_csv('${path}', buffer_size = ${csvBufferBytes})` : `'${path}'`;
    return `CREATE VIEW ${name} AS FROM ${from}`;
  });

/** The numbers by which two results are compared. */
export interface Check {
  readonly rows: number;
  readonly sums: Readonly<Record<string, number>>;
}

export async function checkOf(
  { ask }: DuckDb,
  files: readonly string[],
  columns: readonly string[],
): Promise<Check> {
  const sums = columns.map((name) => `sum(${name})::DOUBLE AS ${name}`);
  const from = `read_parquet([${files.map((file) => `'${file}'`).join(', ')}])`;
  const [row = {}] = await ask({
    statements: [`SELECT ${['count(*)::DOUBLE AS "rows of it"', ...sums].join(', ')} FROM ${from}`],
  });
  const { 'rows of it': rows, ...others } = row;
  const numbers = Object.entries(others).map(([name, value]) => [name, Number(value)]);
  return { rows: Number(rows), sums: Object.fromEntries(numbers) as Check['sums'] };
}

/** Floating point adds in another order on each side. */
const TOLERANCE = 1e-6;

/** @throws Error where the results differ. */
export function assertSame(what: string, right: Check, found: Check): void {
  const isClose = (name: string): boolean => {
    const [a = Number.NaN, b = Number.NaN] = [right.sums[name], found.sums[name]];
    return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a));
  };
  if (right.rows === found.rows && Object.keys(right.sums).every(isClose)) return;
  throw new Error(`${what}: ${JSON.stringify(found)} where DuckDB has ${JSON.stringify(right)}`);
}
