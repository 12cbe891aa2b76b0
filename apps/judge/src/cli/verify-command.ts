/** `skein-judge verify PACKAGE...`: a line per finding as it is found, and a summary. */
import { SkeinError } from '@skein/api';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { machineCeilings, refuseDishonourable } from '../judging/limits.ts';
import { seconds, usageWords } from '../judging/verdict.ts';
import type { Problem } from '../package/problem.ts';
import type { CheckReport, ExampleReport, VerifyEvent, VerifyReport } from '../verify/report.ts';
import { verify } from '../verify/verify.ts';
import { withPackage } from './open-package.ts';
import type { Command, CommandOptions, Terminal } from './options.ts';
import { withSandbox } from './sandboxes.ts';

export const runVerify: Command = async (paths, options, terminal) => {
  if (paths.length === 0) {
    throw new SkeinError('USAGE', 'verify needs a problem package.');
  }
  const verifyAll = async (sandbox: JudgeSandbox): Promise<number> => {
    let ok = true;
    for (const path of paths) {
      const report = await withPackage(path, (problem) =>
        verifyOne(problem, sandbox, options, terminal),
      );
      ok &&= report.ok;
    }
    return ok ? 0 : 1;
  };
  return withSandbox(options, terminal, verifyAll, paths);
};

async function verifyOne(
  problem: Problem,
  sandbox: JudgeSandbox,
  { json, strict }: CommandOptions,
  { stdout, signal }: Terminal,
): Promise<VerifyReport> {
  refuseDishonourable(problem, machineCeilings());
  if (!json) stdout.write(`${problem.shortName}\n`);
  const events = verify(problem, sandbox, { signal, strict });
  for (;;) {
    const step = await events.next();
    if (step.done === true) return step.value;
    stdout.write(json ? `${JSON.stringify(step.value)}\n` : lineOf(step.value));
  }
}

function lineOf(event: VerifyEvent): string {
  switch (event.type) {
    case 'input':
      return event.check.ok ? '' : failed('input', event.check);
    case 'output':
      return event.check.ok ? '' : failed('output', event.check);
    case 'example-started':
      return '';
    case 'time-limit':
      return `  time limit ${seconds(event.ms)}${event.inferred ? ' (from the examples)' : ''}\n`;
    case 'example':
      return exampleLine(event.report);
    case 'report':
      return summary(event.report);
  }
}

function failed(what: string, check: CheckReport): string {
  return `  FAIL ${what} ${check.name}: ${check.message}\n`;
}

function exampleLine(report: ExampleReport): string {
  if (report.notRun) return `  skip ${report.name}: ${report.reason}\n`;
  const mark = report.problems.length === 0 ? 'ok  ' : 'FAIL';
  const at = report.failingTest === undefined ? '' : ` at ${report.failingTest}`;
  const facts = [
    `${report.verdict ?? 'not judged'}${at}`,
    ...(report.score === undefined ? [] : [`${Number(report.score.toFixed(2))} points`]),
    ...usageWords(report),
  ];
  const head = `  ${mark} ${report.name}: ${facts.join(', ')}\n`;
  return head + report.problems.map((problem) => `         ${problem}\n`).join('');
}

function summary(report: VerifyReport): string {
  const good = report.inputs.filter((check) => check.ok && check.notChecked !== true).length;
  const notChecked = report.inputs.filter((check) => check.notChecked === true).length;
  const rest = notChecked === 0 ? '' : `; ${notChecked} are not checked`;
  const partly = notChecked > 0 || report.examples.some((example) => example.notRun);
  const order = partly ? 'in order as far as it could be checked here' : 'in order';
  const lines = [
    `  ${good} of ${report.inputs.length} inputs are as the input validators want them${rest}\n`,
    ...report.problems.map((problem) => `  FAIL ${problem}\n`),
    ...report.warnings.map((warning) => `  warning: ${warning}\n`),
    `  The package is ${report.ok ? order : 'not in order'}.\n`,
  ];
  return lines.join('');
}
