/** The rules of a contract: one statement counts the rows that break them, and its answer is judged. */
import { z } from 'zod';
import { identifier, quoted } from '../engine/sql-text.ts';
import type { Row } from '../profile/answers.ts';
import { kindOf, textOf, type Column } from '../profile/columns.ts';
import type { Bounds, Contract, LogicalType, Property, Values } from './contract.ts';

export interface Verdict {
  readonly rule: string;
  /** Absent: the whole table. */
  readonly column?: string;
  readonly passed: boolean;
  /** Rows that break the rule; of a query and of rowCount, the number that it found. */
  readonly found: number;
  /** Whether `found` counts rows that break the rule. */
  readonly counts: 'failed rows' | 'number';
  /** Up to three values that break the rule; never of a private column. */
  readonly examples: readonly string[];
}

interface Rule {
  readonly rule: string;
  readonly column?: string;
  /** Without a statement: the rule is broken by the schema, and so by all rows. */
  readonly sql?: string;
  /** Aggregates that hold in one scan of the table. */
  readonly broken?: string;
  readonly bounds: Bounds;
  readonly percent?: boolean;
  readonly counts: Verdict['counts'];
  readonly examples?: readonly string[];
}

/** Examples of each rule. */
const EXAMPLES = 3;

/** The rules of a contract for a table with these columns. */
export function rulesOf({ schema }: Contract, columns: readonly Column[]): Rule[] {
  const { properties, quality = [] } = schema[0]!;
  const failed = { bounds: { mustBe: 0 }, counts: 'failed rows' } as const;
  const rules: Rule[] = [];
  for (const property of properties) {
    const { name } = property;
    const column = columns.find((each) => each.name === name);
    if (column === undefined) {
      rules.push({ rule: 'the column exists', column: name, ...failed });
      continue;
    }
    const { logicalType, physicalType } = property;
    const types = [
      [logicalType, logicalType !== undefined && fitsLogical(logicalType, column.type)],
      [physicalType, physicalType?.toUpperCase() === column.type.toUpperCase()],
    ] as const;
    for (const [type, fits] of types) {
      if (type === undefined) continue;
      const rule = `type ${type}`;
      rules.push({
        rule,
        column: name,
        ...failed,
        ...(fits ? { sql: '0' } : { examples: [column.type] }),
      });
    }
    if (property.required === true) {
      rules.push({
        rule: 'required',
        column: name,
        ...failed,
        broken: `${identifier(name)} IS NULL`,
      });
    }
    if (property.unique === true) {
      rules.push({ rule: 'unique', column: name, ...failed, sql: repeatedSql([name]) });
    }
    for (const each of property.quality ?? []) rules.push(ruleOf(each, property));
  }
  const keys = properties.filter(({ primaryKey }) => primaryKey === true).map(({ name }) => name);
  const lies = keys.every((key) => columns.some(({ name }) => name === key));
  if (keys.length > 0 && lies) {
    const absent = keys.map((key) => `${identifier(key)} IS NULL`).join(' OR ');
    const sql = `(SELECT count(*) FROM data WHERE ${absent}) + ${repeatedSql(keys)}`;
    rules.push({ rule: `primary key ${keys.join(', ')}`, ...failed, sql });
  }
  for (const each of quality) {
    const { bounds, title } = judged(each);
    if ('query' in each) {
      rules.push({ rule: title, bounds, counts: 'number', sql: querySql(each.query) });
    } else if (each.metric === 'rowCount') {
      rules.push({ rule: title, bounds, counts: 'number', sql: '(SELECT count(*) FROM data)' });
    } else {
      const sql = repeatedSql(each.arguments.properties);
      rules.push({ rule: title, bounds, counts: 'failed rows', sql, percent: isPercent(each) });
    }
  }
  return rules;
}

type Check = Exclude<Property['quality'], undefined>[number];

function ruleOf(check: Check, { name }: Property): Rule {
  const { bounds, title } = judged(check);
  if ('query' in check) {
    const sql = querySql(check.query, name);
    return { rule: title, column: name, bounds, counts: 'number', sql };
  }
  const rule = { rule: title, column: name, bounds, percent: isPercent(check) };
  return {
    ...rule,
    counts: 'failed rows',
    ...(check.metric === 'duplicateValues'
      ? { sql: repeatedSql([name]) }
      : { broken: brokenSql(check, identifier(name)) }),
  };
}

const isPercent = ({ unit }: { readonly unit?: string | undefined }): boolean => unit === 'percent';

/** The bound of a rule, and the rule in a few words. */
function judged(
  check: Bounds & { name?: string | undefined; metric?: string; unit?: string | undefined },
) {
  const bounds = Object.fromEntries(
    Object.entries(check).filter(([key]) => key.startsWith('must')),
  ) as Bounds;
  const [[key, value] = []] = Object.entries(bounds);
  const words = `${check.metric ?? 'sql'} ${key} ${String(value)}${isPercent(check) ? ' %' : ''}`;
  return { bounds, title: check.name ?? words };
}

/** A query answers with one number; it ends on a line of its own, after a comment at its end. */
function querySql(query: string, column?: string): string {
  const text = query
    .replaceAll(/\$\{(table|object)\}/g, () => 'data')
    .replaceAll(/\$\{(column|property)\}/g, (whole) =>
      column === undefined ? whole : identifier(column),
    );
  return `(${text.replace(/;\s*$/, '')}\n)`;
}

/** The number of rows whose values an earlier row has; missing values are no values. */
function repeatedSql(names: readonly string[]): string {
  const values = names.map(identifier);
  const present = values.map((value) => `${value} IS NOT NULL`).join(' AND ');
  return `(SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM data WHERE ${present} GROUP BY ${values.join(', ')}))`;
}

function brokenSql(check: Exclude<Values, { metric: 'duplicateValues' }>, value: string): string {
  if (check.metric === 'missingValues') {
    const texts = check.arguments.missingValues.filter((each) => each !== null).map(quoted);
    const listed = texts.length === 0 ? '' : ` OR ${value}::VARCHAR IN (${texts.join(', ')})`;
    return `${value} IS NULL${listed}`;
  }
  if (check.metric !== 'invalidValues') return `${value} IS NULL`;
  const { validValues, pattern } = check.arguments;
  const texts = (validValues ?? []).filter((each) => typeof each === 'string').map(quoted);
  const numbers = (validValues ?? []).filter((each) => typeof each === 'number');
  const listed = [
    ...(texts.length === 0 ? [] : [`${value}::VARCHAR IN (${texts.join(', ')})`]),
    ...(numbers.length === 0
      ? []
      : [`coalesce(TRY_CAST(${value}::VARCHAR AS DOUBLE) IN (${numbers.join(', ')}), false)`]),
  ];
  const tests = [
    ...(listed.length === 0 ? [] : [`(${listed.join(' OR ')})`]),
    ...(pattern === undefined ? [] : [`regexp_matches(${value}::VARCHAR, ${quoted(pattern)})`]),
  ];
  return `${value} IS NOT NULL AND NOT (${tests.join(' AND ') || 'true'})`;
}

/** One statement for all rules, with one row. */
export function checkSql(rules: readonly Rule[], contract: Contract): string {
  const secret = secretsOf(contract);
  const scanned = rules.flatMap(({ broken, column }, at) => {
    if (broken === undefined) return [];
    const shown = column !== undefined && !secret.has(column);
    const found = shown
      ? `, min(${textOf({ name: column, type: '' })}, ${EXAMPLES}) FILTER (WHERE ${broken}) AS e${at}`
      : '';
    return [`count(*) FILTER (WHERE ${broken})::DOUBLE AS r${at}${found}`];
  });
  const others = rules.flatMap(({ sql }, at) =>
    sql === undefined ? [] : [`(${sql})::DOUBLE AS r${at}`],
  );
  const scan = ['count(*)::DOUBLE AS rows', ...scanned].join(', ');
  return `WITH scan AS (SELECT ${scan} FROM data) SELECT ${['scan.*', ...others].join(', ')} FROM scan`;
}

const secretsOf = ({ schema }: Contract): ReadonlySet<string> =>
  new Set(
    schema[0]!.properties
      .filter(({ classification }) => classification === 'private')
      .map(({ name }) => name),
  );

const Examples = z
  .array(z.string())
  .nullish()
  .transform((values) => [...new Set(values ?? [])]);

/** @returns the number of rows, and the verdict on each rule. */
export function judge(rules: readonly Rule[], row: Row): { rows: number; rules: Verdict[] } {
  const rows = z.number().parse(row['rows']);
  const verdicts = rules.map(({ rule, column, bounds, percent, counts, ...own }, at): Verdict => {
    const isUnmet = own.sql === undefined && own.broken === undefined;
    // A query whose answer is missing keeps no bound.
    const found = isUnmet ? rows : (z.number().nullable().parse(row[`r${at}`]) ?? Number.NaN);
    const measured = percent === true ? (rows === 0 ? 0 : (100 * found) / rows) : found;
    return {
      rule,
      ...(column === undefined ? {} : { column }),
      passed: !isUnmet && isWithin(measured, bounds),
      found,
      counts,
      examples: own.examples ?? Examples.parse(row[`e${at}`]),
    };
  });
  return { rows, rules: verdicts };
}

/** Both ends of a range are in it. */
export function isWithin(value: number, bounds: Bounds): boolean {
  if (Number.isNaN(value)) return false;
  const { mustBe, mustNotBe, mustBeBetween: inside, mustNotBeBetween: outside } = bounds;
  const { mustBeGreaterThan: above, mustBeGreaterOrEqualTo: least } = bounds;
  const { mustBeLessThan: below, mustBeLessOrEqualTo: most } = bounds;
  return (
    (mustBe === undefined || value === mustBe) &&
    (mustNotBe === undefined || value !== mustNotBe) &&
    (above === undefined || value > above) &&
    (least === undefined || value >= least) &&
    (below === undefined || value < below) &&
    (most === undefined || value <= most) &&
    (inside === undefined || (value >= inside[0] && value <= inside[1])) &&
    (outside === undefined || value < outside[0] || value > outside[1])
  );
}

const INTEGER = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM)$/;

export function fitsLogical(logical: LogicalType, type: string): boolean {
  return logicalTypeOf(type) === logical || (logical === 'number' && INTEGER.test(type));
}

/** The logical type of DuckDB's type. */
export function logicalTypeOf(type: string): LogicalType {
  if (/\[\d*\]$/.test(type)) return 'array';
  if (/^(STRUCT|MAP|UNION)\b/.test(type)) return 'object';
  if (INTEGER.test(type)) return 'integer';
  if (/^TIME\b/.test(type)) return 'time';
  if (type === 'DATE') return 'date';
  const kind = kindOf(type);
  if (kind === 'time') return 'timestamp';
  if (kind === 'truth') return 'boolean';
  return kind === 'number' ? 'number' : 'string';
}
