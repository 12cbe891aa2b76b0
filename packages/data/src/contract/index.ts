/** Contracts of tables: schema and expectations in one file. */
export { readContract } from './contract.ts';
export { checkSql, judge, rulesOf, type Verdict } from './rules.ts';
export { suggestContract } from './suggest.ts';
