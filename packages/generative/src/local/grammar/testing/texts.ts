/** Texts of a grammar. */
import { seededRandom } from '@skein/onnx';
import { Automaton, type State } from '../automaton.ts';
import type { Sequence } from '../json-text.ts';

/** A random text of the grammar. Closing bytes are preferred, so that it ends. */
export function randomText(grammar: Sequence, seed: number): string {
  const random = seededRandom(seed);
  const automaton = new Automaton(grammar);
  const bytes: number[] = [];
  let state = automaton.start;
  for (;;) {
    automaton.beginToken();
    const choices: [number, State][] = [];
    for (let byte = 0; byte < 256; byte++) {
      const next = automaton.step(state, byte);
      if (next !== null) choices.push([byte, next]);
    }
    if (choices.length === 0 || (state.accepts && random.next() < 0.3)) break;
    const closing = choices.filter(([byte]) => '"}],:0'.includes(String.fromCodePoint(byte)));
    const among = closing.length > 0 && random.next() < 0.6 ? closing : choices;
    const [byte, next] = among[Math.floor(random.next() * among.length)]!;
    bytes.push(byte);
    state = next;
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
}

export function accepts(grammar: Sequence, text: string): boolean {
  const automaton = new Automaton(grammar);
  let state: State | null = automaton.start;
  for (const byte of new TextEncoder().encode(text)) {
    automaton.beginToken();
    state = automaton.step(state, byte);
    if (state === null) return false;
  }
  return state.accepts;
}
