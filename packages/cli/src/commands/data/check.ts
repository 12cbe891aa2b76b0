/** `skein data check` and `skein data suggest`: a table against its contract. */
import type { Verdict } from '@skein/data/contract';
import { defineCommand } from '../../command-line/command.ts';
import { text } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import { readGivenFile, writeGivenFile } from '../../file.ts';
import { filesArgument, statementOptions, withStatements } from '../../jobs/ask-tables.ts';
import { withoutSecrets } from '../../jobs/data-versions.ts';
import { columnsOfTable, profileTable } from '../../jobs/profile-tables.ts';
import { renderTable } from '../../output/table.ts';

export interface CheckOutcome {
  readonly rows: number;
  readonly rules: readonly Verdict[];
}

export const dataCheck = defineCommand({
  name: 'data check',
  summary: 'Check a table against a contract: schema and expectations in one file.',
  details:
    'A contract is a subset of the Open Data Contract Standard 3. Two jobs of one statement each check all its rules. The exit code is 1 where a rule fails. Values of columns with the classification private are never printed.',
  examples: {
    'skein data check heart@2 --contract contract.yaml': 'Each rule, and the rows that break it',
    'skein data check visits.csv --contract contract.yaml && skein train model.onnx --data visits.csv':
      'Train only on a table that keeps its contract',
  },
  arguments: { files: filesArgument },
  options: { contract: text('FILE', 'Contract in YAML.'), ...statementOptions },
  async run(context, { files, contract: file, ...choice }): Promise<CheckOutcome> {
    if (file === undefined) throw usageError('--contract FILE is missing.');
    const { checkSql, judge, readContract, rulesOf } = await import('@skein/data/contract');
    const contract = readContract(await readGivenFile(context.cwd, file), file);
    return withStatements(context, choice, async (statements) => {
      const data = await statements.tableOf(files);
      const rules = rulesOf(contract, await columnsOfTable(statements, data));
      const [row] = await statements.ask('rules', checkSql(rules, contract), { data });
      return judge(rules, row!);
    });
  },
  render({ rows, rules }, style) {
    const count = (number: number): string => number.toLocaleString('en');
    const broken = rules.filter(({ passed }) => !passed).length;
    return [
      renderTable(style, rules, [
        ['', ({ passed }) => (passed ? style.green('✓') : style.red('✗'))],
        ['RULE', ({ rule }) => rule],
        ['COLUMN', ({ column }) => column ?? ''],
        [
          'FAILED',
          ({ found, counts }) =>
            counts === 'number' ? `found ${count(found)}` : `${count(found)} of ${count(rows)}`,
          'right',
        ],
        ['EXAMPLES', ({ examples }) => examples.join(', ')],
      ]),
      `${rules.length} rules, ${broken} failed`,
    ].join('\n');
  },
  exitCode: ({ rules }) => (rules.every(({ passed }) => passed) ? 0 : 1),
});

export const dataSuggest = defineCommand({
  name: 'data suggest',
  summary: 'Write a contract that a table keeps, from its profile.',
  details:
    'The contract has the types, complete and unique columns, and the values of texts with few. Edit it before you use it: it holds what is, not what must be.',
  examples: { 'skein data suggest heart.csv --out contract.yaml': 'A draft to edit' },
  arguments: { files: filesArgument },
  options: { out: text('FILE', 'Contract to write.'), ...statementOptions },
  async run(context, { files, out, ...choice }) {
    if (out === undefined) throw usageError('--out FILE is missing: for the contract.');
    const profile = await withStatements(context, choice, async (statements) =>
      profileTable(statements, await statements.tableOf(files)),
    );
    const { suggestContract } = await import('@skein/data/contract');
    const content = suggestContract(files.map(withoutSecrets).join(' '), profile);
    return { wrote: await writeGivenFile(context.cwd, out, content) };
  },
  render: ({ wrote }, style) => style.dim(`wrote ${wrote}`),
});
