/** Files that a validator leaves in its feedback folder, read as untrusted input. */
import { JudgeFault } from '../judging/judge-fault.ts';
import type { ValidatorScore } from '../judging/events.ts';
import type { Validation } from './validator.ts';

/** Characters of a message that are kept. */
const MAX_MESSAGE = 8192;
const NUMBER = /^[+-]?(?:\d*\.\d+|\d+\.|\d+)(?:[eE][+-]?\d+)?$/;

/** @param files by name in the feedback folder. */
export function readFeedback(
  files: ReadonlyMap<string, Uint8Array>,
  accepted: boolean,
): Validation {
  const nextPass = files.get('nextpass.in');
  if (nextPass !== undefined && !accepted) {
    throw new JudgeFault('the validator wrote nextpass.in but did not exit with 42');
  }
  return {
    accepted,
    judgeMessage: message(files.get('judgemessage.txt')),
    teamMessage: message(files.get('teammessage.txt')),
    score: readScore(files),
    nextPass,
  };
}

function readScore(files: ReadonlyMap<string, Uint8Array>): ValidatorScore | undefined {
  const score = files.get('score.txt');
  const multiplier = files.get('score_multiplier.txt');
  if (score !== undefined && multiplier !== undefined) {
    throw new JudgeFault('the validator wrote both score.txt and score_multiplier.txt');
  }
  if (score !== undefined) return { kind: 'score', value: number('score.txt', score) };
  if (multiplier !== undefined) {
    return { kind: 'multiplier', value: number('score_multiplier.txt', multiplier) };
  }
  return undefined;
}

function number(file: string, bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes.subarray(0, 400)).trim();
  if (!NUMBER.test(text))
    throw new JudgeFault(`${file} holds "${text.slice(0, 40)}", which is not a number`);
  const value = Number(text);
  if (!Number.isFinite(value))
    throw new JudgeFault(`${file} holds "${text.slice(0, 40)}", beyond the largest number`);
  return value;
}

function message(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes).trim();
  if (text === '') return undefined;
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}
