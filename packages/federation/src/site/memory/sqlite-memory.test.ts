import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SiteMemory } from './site-memory.ts';
import { openSqliteMemory } from './sqlite-memory.ts';

let folder: string;
let memory: SiteMemory;
const path = () => join(folder, 'site.db');
const question = { run: 'r1', round: 3, phase: 'mask' };
const bytes = (text: string) => new TextEncoder().encode(text);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'site-memory-'));
  memory = openSqliteMemory(path());
});
afterEach(async () => {
  await memory.close();
  await rm(folder, { recursive: true });
});

async function reopened(): Promise<SiteMemory> {
  await memory.close();
  memory = openSqliteMemory(path());
  return memory;
}

it('answers a question once, also after a restart and when two ask at the same time', async () => {
  const both = await Promise.all([
    memory.answerOnce(question, bytes('first'), bytes('state 1')),
    memory.answerOnce(question, bytes('second'), bytes('state 2')),
  ]);
  expect(both.map((each) => Buffer.from(each).toString())).toEqual(['first', 'first']);
  await reopened();
  expect(Buffer.from(await memory.answerOnce(question, bytes('third'))).toString()).toBe('first');
  expect(Buffer.from((await memory.stateOf('r1', 3))!).toString()).toBe('state 1');
  expect(await memory.answerOf({ ...question, phase: 'unmask' })).toBeUndefined();
});

it('erases the secrets of a round that has ended, and still knows that it was answered', async () => {
  await memory.answerOnce(question, bytes('ANSWER-OF-ROUND-3'), bytes('SECRET-OF-ROUND-3'));
  await memory.answerOnce({ ...question, round: 4 }, bytes('next'), bytes('later'));
  await memory.endRound('r1', 3);
  await reopened();
  expect(await memory.stateOf('r1', 3)).toBeUndefined();
  expect(await memory.answerOf(question)).toHaveLength(0);
  expect(await memory.answerOnce(question, bytes('again'))).toHaveLength(0);
  expect(await memory.stateOf('r1', 4)).toHaveLength(5);
  await memory.close();
  expect((await readFile(path())).includes('SECRET-OF-ROUND-3')).toBe(false);
});

it('keeps one identity, in a file that only its owner reads', async () => {
  const before = await memory.identity();
  const signature = await crypto.subtle.sign('Ed25519', before.privateKey, bytes('x'));
  const after = await (await reopened()).identity();
  expect(await crypto.subtle.verify('Ed25519', after.publicKey, signature, bytes('x'))).toBe(true);
  expect(after.privateKey.extractable).toBe(false);
  expect((await stat(path())).mode & 0o077).toBe(0);
});

it('accepts one plan per run', async () => {
  expect(await memory.acceptedOf('r1')).toBeUndefined();
  expect(await memory.accept('r1', 'aa')).toBe('aa');
  expect(await memory.accept('r1', 'bb')).toBe('aa');
  expect(await (await reopened()).acceptedOf('r1')).toBe('aa');
});
