/** Contracts of tables: the rows that break each rule, by a plain loop; refusals that name a place. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Verdict } from '@skein/data/contract';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli } from '../../testing/cli.ts';

const TIMEOUT = 180_000;

interface Row {
  readonly id: number;
  readonly age: number | undefined;
  readonly sex: string;
  readonly name: string;
}
const rows = Array.from({ length: 500 }, (_, at): Row => ({
  id: at % 97 === 0 ? 1 : at,
  age: at % 50 === 0 ? undefined : at % 120,
  sex: at % 70 === 0 ? 'x' : at % 2 === 0 ? 'f' : 'm',
  name: at % 90 === 0 ? 'Secret 1' : `Person${at}`,
}));

const HEAD = `apiVersion: v3.1.0
kind: DataContract
id: people
version: 1.0.0
status: active
`;
const CONTRACT = `${HEAD}schema:
  - name: people
    quality:
      - { metric: rowCount, mustBeBetween: [500, 600] }
      - { metric: duplicateValues, arguments: { properties: [id, sex] }, mustBe: 0 }
      - type: sql
        name: adults
        query: SELECT count(*) FROM \${table} WHERE age >= 18 -- a comment
        mustBeLessThan: 10
    properties:
      - { name: id, logicalType: integer, primaryKey: true, unique: true }
      - name: age
        logicalType: string
        required: true
        quality:
          - { metric: nullValues, unit: percent, mustBeLessOrEqualTo: 2 }
          - { type: sql, name: oldest, query: 'SELECT max(\${column}) FROM \${table}', mustBe: 119 }
      - name: sex
        quality:
          - { metric: invalidValues, arguments: { validValues: [f, m] }, mustBe: 0 }
          - { metric: missingValues, arguments: { missingValues: [x, null] }, mustBe: 0 }
      - name: name
        classification: private
        quality:
          - { metric: invalidValues, arguments: { pattern: '^[A-Za-z]+[0-9]+$' }, mustBe: 0 }
      - { name: city, required: true }
`;

let folder: string;
beforeAll(async () => {
  folder = testFolder();
  const lines = rows.map(({ id, age, sex, name }) => `${id},${age ?? ''},${sex},${name}`);
  await writeFile(join(folder, 'people.csv'), ['id,age,sex,name', ...lines].join('\n'));
  await writeFile(join(folder, 'contract.yaml'), CONTRACT);
});

const check = (contract: string, ...words: string[]) =>
  runCli(['data', 'check', 'people.csv', '--contract', contract, ...words], { cwd: folder });

const repeated = (keys: readonly unknown[]): number => keys.length - new Set(keys).size;
const count = (test: (row: Row) => boolean): number => rows.filter(test).length;

it(
  'counts the rows that break each rule, and prints no private value',
  async () => {
    const { code, stdout, stderr } = await check('contract.yaml', '--json');
    expect(code, stderr + stdout).toBe(1);
    const { rows: all, rules } = JSON.parse(stdout) as { rows: number; rules: Verdict[] };
    expect(all).toBe(500);
    const twice = repeated(rows.map(({ id }) => id));
    const ageless = count(({ age }) => age === undefined);
    const other = count(({ sex }) => sex === 'x');
    const found = rules.map(({ rule, column, passed, found: number, examples }) =>
      [rule, column ?? '-', passed, number, examples.join('|')].join(' '),
    );
    expect(found).toEqual([
      'type integer id true 0 ',
      `unique id false ${twice} `,
      'type string age false 500 BIGINT',
      `required age false ${ageless} `,
      `nullValues mustBeLessOrEqualTo 2 % age true ${ageless} `,
      'oldest age true 119 ',
      `invalidValues mustBe 0 sex false ${other} x`,
      `missingValues mustBe 0 sex false ${other} x`,
      `invalidValues mustBe 0 name false ${count(({ name }) => name.includes(' '))} `,
      'the column exists city false 500 ',
      `primary key id - false ${twice} `,
      'rowCount mustBeBetween 500,600 - true 500 ',
      `duplicateValues mustBe 0 - false ${repeated(rows.map(({ id, sex }) => `${id} ${sex}`))} `,
      `adults - false ${count(({ age }) => age !== undefined && age >= 18)} `,
    ]);
    const shown = await check('contract.yaml');
    expect(shown.code).toBe(1);
    expect(shown.stdout).toContain(`${other} of 500  x`);
    expect(stdout + stderr + shown.stdout + shown.stderr).not.toContain('Secret');
  },
  TIMEOUT,
);

it(
  'suggests a contract that the table keeps',
  async () => {
    const made = await runCli(['data', 'suggest', 'people.csv', '--out', 'draft.yaml'], {
      cwd: folder,
    });
    expect(made.code, made.stderr).toBe(0);
    const draft = await readFile(join(folder, 'draft.yaml'), 'utf8');
    expect(draft).toContain('validValues');
    const { code, stdout } = await check('draft.yaml');
    expect(code, stdout).toBe(0);
    await writeFile(join(folder, 'narrow.yaml'), draft.replace('- x\n', '- y\n'));
    expect(await check('narrow.yaml')).toMatchObject({ code: 1 });
  },
  TIMEOUT,
);

const column = (rest: string): string =>
  `${HEAD}schema: [{ name: t, properties: [{ name: a, ${rest} }] }]\n`;

it.each([
  ['an unknown key', column('requird: true'), /schema\[0\]\.properties\[0\]: .*requird/],
  [
    'an unknown key of a rule',
    column('quality: [{ metric: nullValues, mustBeNone: 0 }]'),
    /properties\[0\]\.quality\[0\]: .*mustBeNone/,
  ],
  [
    'a rule without a bound',
    column('quality: [{ metric: nullValues }]'),
    /quality\[0\]: exactly one of mustBe,/,
  ],
  ['another type', column('logicalType: text'), /properties\[0\]\.logicalType: /],
  ['no YAML', 'a: [', /line 1/],
  ['deep nesting', '['.repeat(100_000), /contract/],
  ['a large file', `# ${'x'.repeat(300_000)}`, /at most 262144/],
])('refuses %s with its place', async (_, content, place) => {
  await writeFile(join(folder, 'wrong.yaml'), content);
  const { code, stderr } = await check('wrong.yaml');
  expect(code).not.toBe(0);
  expect(stderr).toContain('CONTRACT_INVALID');
  expect(stderr).toMatch(place);
});
