/**
 * Which bytes may follow in a grammar: a pushdown automaton that is made deterministic as it runs.
 *
 *   state = set of stacks;  stack = what must still come, first symbol on top
 *
 * Equal stacks and equal sets are one object, so that a state remembers the state after each byte,
 * and a mask over a vocabulary is computed once per state.
 */
import { SkeinError } from '@skein/api';

export type GrammarSymbol =
  /** One byte of a set. */
  | { readonly kind: 'byte'; readonly set: Uint8Array }
  /** One of several sequences, made when it is first needed: rules may be recursive. */
  | { readonly kind: 'choice'; readonly options: () => readonly (readonly GrammarSymbol[])[] }
  /** A sequence, `least` to `most` times. */
  | {
      readonly kind: 'repeat';
      readonly item: readonly GrammarSymbol[];
      readonly least: number;
      readonly most: number;
    };

/** A stack; undefined: nothing must come any more. */
interface Stack {
  readonly id: number;
  readonly symbol: GrammarSymbol;
  readonly below: Stack | undefined;
}

export interface State {
  /** The stacks begin with bytes. */
  readonly stacks: readonly Stack[];
  /** Whether the text may end here. */
  readonly accepts: boolean;
  /** After each byte; null: the byte may not come. */
  readonly next: (State | null | undefined)[];
}

/** Rules that begin with themselves never come to a byte. */
const DEEPEST = 500;
/**
 * Stacks that are expanded for one token, about 100 ms: callers write the schemas, and one thread
 * makes all answers of a model.
 */
const MOST_PER_TOKEN = 2 ** 18;
/** Stacks that are kept, about 50 MiB. Past this, all are dropped; a state that recurs is made again. */
const MOST_REMEMBERED = 2 ** 19;

export class Automaton {
  readonly start: State;
  readonly #stacks = new Map<string, Stack>();
  readonly #states = new Map<string, State>();
  /** Ids of symbols, and of the items of repetitions. */
  readonly #ids = new Map<GrammarSymbol | readonly GrammarSymbol[], number>();
  readonly #repeats = new Map<string, GrammarSymbol>();
  /** No id is given twice. */
  #nextId = 0;
  #left = MOST_PER_TOKEN;
  #remembered = 0;

  /** @throws SkeinError GENERATION_UNSUPPORTED when a rule begins with itself, or too much may come first. */
  constructor(grammar: readonly GrammarSymbol[]) {
    this.start = this.#stateOf([this.#push(grammar, undefined)]);
  }

  /** Begins the next token. @returns whether all states but the caller's were dropped. */
  beginToken(): boolean {
    this.#left = MOST_PER_TOKEN;
    if (this.#remembered <= MOST_REMEMBERED) return false;
    for (const map of [this.#stacks, this.#states, this.#ids, this.#repeats]) map.clear();
    this.#remembered = 0;
    return true;
  }

  /**
   * The state after a byte; null when the byte may not come.
   * @throws SkeinError GENERATION_UNSUPPORTED when a rule begins with itself, or too much may follow.
   */
  step(state: State, byte: number): State | null {
    const known = state.next[byte];
    if (known !== undefined) return known;
    const after = state.stacks
      .filter(({ symbol }) => symbol.kind === 'byte' && symbol.set[byte] === 1)
      .map(({ below }) => below);
    return (state.next[byte] = after.length === 0 ? null : this.#stateOf(after));
  }

  #stateOf(stacks: readonly (Stack | undefined)[]): State {
    const found = new Map<number, Stack>();
    /** Choices lead to the same stack on many ways. */
    const seen = new Set<Stack>();
    /** Stacks that are being expanded: a stack inside of itself has no byte. */
    const open = new Set<Stack>();
    let accepts = false;
    const expand = (stack: Stack | undefined): void => {
      if (stack === undefined) {
        accepts = true;
        return;
      }
      if (open.has(stack) || open.size > DEEPEST) {
        throw unsupported('A rule of the schema begins with itself.');
      }
      if (seen.has(stack)) return;
      seen.add(stack);
      if (--this.#left < 0) throw unsupported('Too many parts of the schema may begin alike.');
      const { symbol, below } = stack;
      if (symbol.kind === 'byte') {
        found.set(stack.id, stack);
        return;
      }
      open.add(stack);
      for (const each of this.#choices(symbol)) expand(this.#push(each, below));
      open.delete(stack);
    };
    for (const stack of stacks) expand(stack);
    const key = [...found.keys()].toSorted((a, b) => a - b).join(',') + (accepts ? '.' : '');
    let state = this.#states.get(key);
    if (state === undefined) {
      state = { stacks: [...found.values()], accepts, next: [] };
      this.#states.set(key, state);
      this.#remembered += found.size;
    }
    return state;
  }

  #choices(
    symbol: Exclude<GrammarSymbol, { kind: 'byte' }>,
  ): readonly (readonly GrammarSymbol[])[] {
    if (symbol.kind === 'choice') return symbol.options();
    const { item, least, most } = symbol;
    if (most === 0) return [[]];
    const again = [...item, this.#repeat(symbol, Math.max(0, least - 1), most - 1)];
    return least > 0 ? [again] : [[], again];
  }

  #repeat(
    symbol: Extract<GrammarSymbol, { kind: 'repeat' }>,
    least: number,
    most: number,
  ): GrammarSymbol {
    if (least === symbol.least && most === symbol.most) return symbol;
    // One array holds a repetition's items, however many are left.
    // Their symbols cannot identify it: every list continues with a comma.
    const key = `${this.#idOf(symbol.item)}:${least}-${most}`;
    let found = this.#repeats.get(key);
    if (found === undefined) {
      found = { kind: 'repeat', item: symbol.item, least, most };
      this.#repeats.set(key, found);
    }
    return found;
  }

  #push(symbols: readonly GrammarSymbol[], below: Stack | undefined): Stack | undefined {
    let stack = below;
    for (const symbol of symbols.toReversed()) {
      const key = `${this.#idOf(symbol)}:${stack?.id ?? ''}`;
      let found = this.#stacks.get(key);
      if (found === undefined) {
        found = { id: this.#nextId++, symbol, below: stack };
        this.#stacks.set(key, found);
        this.#remembered++;
      }
      stack = found;
    }
    return stack;
  }

  #idOf(of: GrammarSymbol | readonly GrammarSymbol[]): number {
    let id = this.#ids.get(of);
    if (id === undefined) {
      id = this.#nextId++;
      this.#ids.set(of, id);
    }
    return id;
  }
}

function unsupported(problem: string): SkeinError {
  return new SkeinError('GENERATION_UNSUPPORTED', problem);
}
