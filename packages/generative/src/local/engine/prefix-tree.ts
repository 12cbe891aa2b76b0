/**
 * Caches of prompts that were computed before, by their tokens: a tree whose edges are blocks of 16
 * tokens (RadixAttention, Zheng et al., 2024, with blocks as in vLLM).
 *
 *   root ─ [system prompt, 16 tokens] ─ [16 more] ┬─ [question A]
 *                                                 └─ [question B]
 *
 * Blocks are copied into a row and out of it, so that rows stay contiguous and nothing is shared
 * while it is written. The least recently used leaf leaves when the bytes exceed the budget.
 */
import type { CacheArray } from './slab.ts';

/** Tokens of a block. Smaller ones match more and cost more copies of small pieces. */
export const BLOCK = 16;

interface Node {
  readonly parent: Node | undefined;
  readonly key: string;
  readonly data: CacheArray | undefined;
  readonly children: Map<string, Node>;
  usedAt: number;
}

export class PrefixTree {
  readonly #budgetBytes: number;
  readonly #root: Node = {
    parent: undefined,
    key: '',
    data: undefined,
    children: new Map(),
    usedAt: 0,
  };
  readonly #leaves = new Set<Node>();
  #bytes = 0;
  #time = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The blocks of the longest known beginning of the tokens, at most `limit` tokens. */
  match(tokens: readonly number[], limit: number): readonly CacheArray[] {
    const blocks: CacheArray[] = [];
    let node = this.#root;
    for (let at = 0; at + BLOCK <= limit; at += BLOCK) {
      const next = node.children.get(keyOf(tokens, at));
      if (next === undefined) break;
      next.usedAt = ++this.#time;
      blocks.push(next.data!);
      node = next;
    }
    return blocks;
  }

  /** Adds the whole blocks of the tokens; `read` copies one that is new, from its first token on. */
  insert(tokens: readonly number[], read: (start: number) => CacheArray): void {
    let node = this.#root;
    for (let at = 0; at + BLOCK <= tokens.length; at += BLOCK) {
      const key = keyOf(tokens, at);
      let next = node.children.get(key);
      if (next === undefined) {
        const data = read(at);
        if (data.byteLength > this.#budgetBytes) return;
        next = { parent: node, key, data, children: new Map(), usedAt: 0 };
        node.children.set(key, next);
        this.#leaves.delete(node);
        this.#leaves.add(next);
        this.#bytes += data.byteLength;
      }
      next.usedAt = ++this.#time;
      node = next;
    }
    while (this.#bytes > this.#budgetBytes) this.#evict();
  }

  #evict(): void {
    let oldest: Node | undefined;
    for (const leaf of this.#leaves)
      if (oldest === undefined || leaf.usedAt < oldest.usedAt) oldest = leaf;
    if (oldest === undefined) return;
    this.#leaves.delete(oldest);
    this.#bytes -= oldest.data!.byteLength;
    const parent = oldest.parent!;
    parent.children.delete(oldest.key);
    if (parent.children.size === 0 && parent.data !== undefined) this.#leaves.add(parent);
  }
}

function keyOf(tokens: readonly number[], at: number): string {
  return tokens.slice(at, at + BLOCK).join(',');
}
