/**
 * The contract of every memory of a site, as cases that run in Node and, bundled, in a page of Chromium. A
 * case throws when the memory breaks its promise.
 */
import type { SiteMemory } from '../site-memory.ts';

export interface OpenMemory {
  /** Opens the same memory again, as after a restart. */
  (): Promise<SiteMemory>;
}

const question = { run: 'r1', round: 3, attempt: 0, phase: 'mask' };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (given: Uint8Array | undefined) =>
  given === undefined ? 'nothing' : new TextDecoder().decode(given);

function expectSame(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${a} instead of ${b}`);
}

export const MEMORY_CASES: Readonly<Record<string, (open: OpenMemory) => Promise<void>>> = {
  async 'answers a question once, also after a restart and when it is asked twice at once'(open) {
    let memory = await open();
    const both = await Promise.all([
      memory.answerOnce(question, bytes('first'), bytes('state 1')),
      memory.answerOnce(question, bytes('second'), bytes('state 2')),
    ]);
    expectSame(both.map(text), ['first', 'first']);
    await memory.close();
    memory = await open();
    expectSame(text(await memory.answerOnce(question, bytes('third'))), 'first');
    expectSame(text(await memory.stateOf(question)), 'state 1');
    expectSame(text(await memory.answerOf({ ...question, phase: 'unmask' })), 'nothing');
    expectSame(text(await memory.answerOf({ ...question, attempt: 1 })), 'nothing');
    await memory.close();
  },
  async 'erases earlier rounds, and keeps the mark that they were answered'(open) {
    let memory = await open();
    const next = { ...question, round: 4 };
    const again = { ...question, attempt: 1 };
    const other = { ...question, run: 'r0' };
    for (const each of [question, again, next, other]) {
      await memory.answerOnce(each, bytes('ANSWER-TO-ERASE'), bytes('SECRET-TO-ERASE'));
    }
    await memory.eraseBefore(again);
    await memory.close();
    memory = await open();
    const states = [question, again, next, other].map((each) => memory.stateOf(each));
    const kept = 'SECRET-TO-ERASE';
    expectSame((await Promise.all(states)).map(text), ['nothing', kept, kept, kept]);
    expectSame(text(await memory.answerOnce(question, bytes('again'))), '');
    expectSame(text(await memory.answerOf(again)), 'ANSWER-TO-ERASE');
    await memory.close();
  },
  async 'counts the attempts in which a phase was answered, erased ones too'(open) {
    let memory = await open();
    const again = { ...question, attempt: 1 };
    const next = { ...question, round: 4 };
    const others = [
      { ...question, phase: 'keys' },
      { ...question, run: 'r0' },
      { ...question, run: 'r11' },
    ];
    for (const each of [question, again, again, next, ...others]) {
      await memory.answerOnce(each, bytes('answer'), bytes('state'));
    }
    await memory.eraseBefore({ ...question, round: 9 });
    await memory.close();
    memory = await open();
    const counts = ['mask', 'keys', 'none'].map((phase) => memory.attemptsOf('r1', phase));
    expectSame(await Promise.all(counts), [3, 1, 0]);
    await memory.close();
  },
  async 'carries what training needs from round to round, also after a restart, until it is erased'(
    open,
  ) {
    let memory = await open();
    expectSame(text(await memory.carriedOf('r1')), 'nothing');
    await memory.carry('r1', bytes('first'));
    await memory.carry('r1', bytes('second'));
    await memory.eraseBefore({ ...question, round: 9 });
    await memory.close();
    memory = await open();
    expectSame(text(await memory.carriedOf('r1')), 'second');
    expectSame(text(await memory.carriedOf('r0')), 'nothing');
    await memory.carry('r1', undefined);
    expectSame(text(await memory.carriedOf('r1')), 'nothing');
    await memory.close();
  },
  async 'keeps one identity, whose secret no script can read'(open) {
    let memory = await open();
    const before = await memory.identity();
    const signature = await crypto.subtle.sign('Ed25519', before.privateKey, bytes('x'));
    await memory.close();
    memory = await open();
    const after = await memory.identity();
    const isSame = await crypto.subtle.verify('Ed25519', after.publicKey, signature, bytes('x'));
    expectSame([isSame, after.privateKey.extractable], [true, false]);
    await memory.close();
  },
  async 'accepts one plan per run'(open) {
    let memory = await open();
    expectSame(await memory.acceptedOf('r1'), undefined);
    expectSame([await memory.accept('r1', 'aa'), await memory.accept('r1', 'bb')], ['aa', 'aa']);
    await memory.close();
    memory = await open();
    expectSame(await memory.acceptedOf('r1'), 'aa');
    await memory.close();
  },
};
