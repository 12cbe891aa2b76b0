import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** A process in which DuckDB is not installed. */
function inProcess(code: string): string {
  const hooks = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === '@duckdb/node-api') {
          throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
        }
        return next(specifier, context);
      },
    });`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', hooks + code], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

it('names the package that statements over tables need', () => {
  const output = inProcess(`
    import { mkdtempSync, rmSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    const { withTables } = await import('${import.meta.dirname}/session.ts');
    const scratch = mkdtempSync(tmpdir() + '/skein-no-duckdb-');
    const bounds = { memoryBytes: 2 ** 26, threads: 1 };
    const given = { tables: {}, bounds, scratch };
    await withTables(given, [], async () => {}).catch(({ code, message }) => {
      console.log(code, message);
    });
    rmSync(scratch, { recursive: true });`);
  expect(output).toMatch(/^PACKAGE_MISSING .*@duckdb\/node-api/);
});

it('is not needed for anything else', () => {
  const output = inProcess(`
    await import('${import.meta.dirname}/../index.ts');
    await import('${import.meta.dirname}/../cut-parquet.ts');
    await import('${import.meta.dirname}/../../../jobs/src/index.ts');
    console.log('open');`);
  expect(output).toBe('open\n');
});
