/** Which tokens of a vocabulary may follow in a grammar: the tokens' bytes as a tree, walked with the automaton. */
import type { TokenMask } from '../engine/row.ts';
import type { TokenTable } from '../model/vocabulary.ts';
import { Automaton, type State } from './automaton.ts';
import type { Sequence } from './json-text.ts';

interface TrieNode {
  readonly children: Map<number, TrieNode>;
  readonly tokens: number[];
}

/** Built once per vocabulary. */
export class TokenTrie {
  readonly root: TrieNode = { children: new Map(), tokens: [] };
  readonly size: number;
  readonly #vocabulary: TokenTable;

  /** @param size tokens that the logits have; at least the vocabulary's. */
  constructor(vocabulary: TokenTable, size: number) {
    this.#vocabulary = vocabulary;
    this.size = size;
    for (let token = 0; token < vocabulary.size; token++) {
      const bytes = vocabulary.bytes(token);
      if (bytes.length === 0 || vocabulary.isSpecial(token)) continue;
      let node = this.root;
      for (const byte of bytes) {
        let next = node.children.get(byte);
        if (next === undefined)
          node.children.set(byte, (next = { children: new Map(), tokens: [] }));
        node = next;
      }
      node.tokens.push(token);
    }
  }

  bytes(token: number): Uint8Array {
    return this.#vocabulary.bytes(token);
  }
}

/**
 * Memory of the masks of one answer: 64 states of a vocabulary of 256,000 tokens. Those that come
 * again, such as inside of strings, are few; one answer may have thousands that do not.
 */
const MOST_BYTES = 16 * 2 ** 20;

/**
 * A mask for one answer. The text may end where the grammar accepts, and must where nothing can follow.
 *
 * @param mostBytes of the masks that are kept for states that come again; the ones that were used
 *   least recently go first.
 */
export function maskOf(
  grammar: Sequence,
  trie: TokenTrie,
  ends: ReadonlySet<number>,
  mostBytes = MOST_BYTES,
): TokenMask {
  const automaton = new Automaton(grammar);
  const most = Math.max(1, Math.floor(mostBytes / trie.size));
  /** In the order of their last use. */
  const masks = new Map<State, Uint8Array>();
  let state = automaton.start;

  /** @throws SkeinError GENERATION_UNSUPPORTED when too much may follow. */
  function compute(): Uint8Array {
    // Masks know their states, and these all that come after them.
    if (automaton.beginToken()) masks.clear();
    const mask = new Uint8Array(trie.size);
    let any = false;
    const walk = (node: TrieNode, at: State): void => {
      for (const [byte, child] of node.children) {
        const next = automaton.step(at, byte);
        if (next === null) continue;
        for (const token of child.tokens) mask[token] = 1;
        any ||= child.tokens.length > 0;
        walk(child, next);
      }
    };
    walk(trie.root, state);
    if (state.accepts || !any) for (const end of ends) mask[end] = 1;
    return mask;
  }
  return {
    allowed() {
      const mask = masks.get(state) ?? compute();
      masks.delete(state);
      masks.set(state, mask);
      for (const [oldest] of masks) {
        if (masks.size <= most) break;
        masks.delete(oldest);
      }
      return mask;
    },
    accept(token) {
      for (const byte of trie.bytes(token)) state = automaton.step(state, byte) ?? state;
    },
  };
}
