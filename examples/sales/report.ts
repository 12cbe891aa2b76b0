/**
 * A pipeline: the sales are cut by month, each month is tidied by a program in a sandbox, side by
 * side, and the totals of all months are added up.
 *
 *     npx skein pipeline run examples/sales/report.ts --svg report.svg
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { command, definePipeline, run } from '@skein/jobs/pipeline';
import { defineTask } from '@skein/jobs/task';
import { z } from 'zod';

const HERE = import.meta.dirname;

/** Reads the table and stores one artifact for each month, and the program that tidies it. */
export const cut = defineTask({
  name: 'cut-by-month',
  input: z.object({ file: z.string() }),
  output: z.object({ program: z.string(), months: z.array(z.object({ table: z.string() })) }),
  async run({ file }, { artifacts }) {
    const [header = '', ...rows] = (await readFile(file, 'utf8')).trim().split('\n');
    const byMonth = Map.groupBy(rows, (row) => row.slice(0, 7));
    const months: { table: string }[] = [];
    for (const part of byMonth.values()) {
      const { digest } = await artifacts.put(Buffer.from(`${[header, ...part].join('\n')}\n`));
      months.push({ table: digest });
    }
    const program = await artifacts.put(await readFile(join(HERE, 'clean.py')));
    return { program: program.digest, months };
  },
});

/** Adds up the tidied tables. */
export const total = defineTask({
  name: 'total',
  input: z.object({ tables: z.array(z.object({ 'clean.csv': z.string() })) }),
  output: z.record(z.string(), z.number()),
  async run({ tables }, { artifacts }) {
    const totals: Record<string, number> = {};
    for (const table of tables) {
      const content = await text(Readable.from(artifacts.read(table['clean.csv'])));
      for (const row of content.trim().split(/\r?\n/).slice(1)) {
        const [, city = '', amount = ''] = row.split(',');
        totals[city] = Math.round(((totals[city] ?? 0) + Number(amount)) * 100) / 100;
      }
    }
    return totals;
  },
});

export const report = definePipeline({
  name: 'sales-report',
  module: import.meta.filename,
  input: z.object({ file: z.string().default(join(HERE, 'sales.csv')) }),
  output: z.record(z.string(), z.number()),
  steps({ input, step, each }) {
    const parts = step('cut', run(cut, { file: input.file }));
    const tables = each('clean', parts.months, (month) =>
      command({
        argv: ['python3', 'clean.py', 'month.csv', 'clean.csv'],
        inputs: { 'clean.py': parts.program, 'month.csv': month.table },
        outputs: ['clean.csv'],
      }),
    );
    return step('total', run(total, { tables }));
  },
});
