/** `skein-judge judge PACKAGE FILE...`: one submission, test by test. */
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { SkeinError } from '@skein/api';
import { unreadable } from '@skein/api/file-errors';
import type { JudgeEvent } from '../judging/events.ts';
import { judge } from '../judging/judge.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { machineCeilings, refuseDishonourable } from '../judging/limits.ts';
import { answerNamed } from '../judging/submission.ts';
import { usageWords, VERDICT_NAMES } from '../judging/verdict.ts';
import { testsOf, type Problem, type ProgramFile } from '../package/problem.ts';
import { timeLimitOf } from '../verify/verify.ts';
import { withPackage } from './open-package.ts';
import { withSandbox } from './sandboxes.ts';
import type { Command } from './options.ts';

export const runJudge: Command = async (operands, options, terminal) => {
  const { stdout, signal } = terminal;
  const [path, ...names] = operands;
  if (path === undefined || names.length === 0) {
    throw new SkeinError('USAGE', 'judge needs a problem package and the files to judge.');
  }
  const read = await Promise.all(names.map(readSubmitted));
  const judgeIn = (sandbox: JudgeSandbox): Promise<number> =>
    withPackage(path, async (problem) => {
      refuseDishonourable(problem, machineCeilings());
      const timeMs = await timeLimitOf(problem, sandbox, { signal });
      const files = read.map((file) => ({ ...file, path: submittedAs(file.path, problem) }));
      const submission = { files, language: options.language };
      const events = judge(submission, problem, sandbox, { timeMs, signal });
      for (;;) {
        const step = await events.next();
        if (step.done === true) return step.value.verdict === 'AC' ? 0 : 1;
        stdout.write(options.json ? `${JSON.stringify(step.value)}\n` : lineOf(step.value));
      }
    });
  return withSandbox(options, terminal, judgeIn, [path]);
};

async function readSubmitted(path: string): Promise<ProgramFile> {
  const content = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  return { path, content: new Uint8Array(content), executable: false };
}

/** Answers to two tests may have the same base name: their folders distinguish them. */
function submittedAs(path: string, { type, tests }: Problem): string {
  return type.submitAnswer ? answerNamed(resolve(path), testsOf(tests)) : basename(path);
}

function lineOf(event: JudgeEvent): string {
  switch (event.type) {
    case 'compiling':
      return `compiling (${event.language})\n`;
    case 'compiled':
      return event.output === '' ? '' : `${event.output}\n`;
    case 'test-started':
      return '';
    case 'test': {
      const { name, verdict, reason, usage, score } = event.result;
      const points = score === undefined ? [] : [`${Number(score.toFixed(2))} points`];
      const facts = [...usageWords(usage), ...points].join(', ');
      const numbers = facts === '' ? '' : ` (${facts})`;
      return `${verdict.padEnd(3)} ${name}${numbers}${verdict === 'AC' ? '' : `: ${reason}`}\n`;
    }
    case 'group': {
      const { name, score, maxScore, skipped } = event.result;
      if (score === undefined) return '';
      const most = maxScore === undefined ? '' : ` of ${maxScore}`;
      return `    ${name}: ${Number(score.toFixed(2))}${most} points${skipped ? ' (not run)' : ''}\n`;
    }
    case 'verdict': {
      const { verdict, reason, score, compileOutput } = event.judgement;
      const points = score === undefined ? '' : `, ${Number(score.toFixed(2))} points`;
      const output = verdict === 'CE' ? `${compileOutput}\n` : '';
      return `${output}${VERDICT_NAMES[verdict]}${points}${reason === '' ? '' : `: ${reason}`}\n`;
    }
  }
}
