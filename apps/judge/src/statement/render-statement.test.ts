import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadProblem } from '../package/load-problem.ts';
import { packageFolder } from '../testing/package-folder.ts';
import { renderStatement } from './render-statement.ts';

async function render(statement: string, files: Record<string, string> = {}): Promise<string> {
  const folder = packageFolder({ 'statement/problem.en.md': statement, ...files });
  const problem = await loadProblem(folder);
  const shown = await renderStatement(problem, problem.statements[0]!, (path) => `/of/${path}`);
  return shown.format === 'html' ? shown.html : '';
}

it('shows the images of the package, and no other', async () => {
  const html = await render('![a](map.png) ![b](data.txt) ![c](../problem.yaml)', {
    'statement/map.png': '',
    'statement/data.txt': '',
  });
  expect(html).toBe('<p><img src="/of/statement/map.png" alt="a">  </p>\n');
});

it('refuses a statement that its constants make too long', async () => {
  const folder = packageFolder({ 'statement/problem.en.md': '{{n}}'.repeat(100) });
  const yaml = `constants: {n: ${'x'.repeat(1000)}}\n`;
  writeFileSync(join(folder, 'problem.yaml'), yaml, { flag: 'a' });
  const problem = await loadProblem(folder);
  await expect(renderStatement(problem, problem.statements[0]!, String)).rejects.toMatchObject({
    code: 'PROBLEM_INVALID',
    message: expect.stringContaining('characters; Markdown may have'),
  });
});

it('renders a costly statement outside the main thread', async () => {
  await render('a');
  const [own, all] = [process.threadCpuUsage(), process.cpuUsage()];
  await render('$a$![^[a'.repeat(8000));
  const used = ({ user, system }: NodeJS.CpuUsage): number => user + system;
  expect(used(process.threadCpuUsage(own))).toBeLessThan(used(process.cpuUsage(all)) / 2);
});
