/** The names that a node may read: those of its graph so far, and those of the graphs around it. */
export class Scope {
  readonly #names = new Set<string>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  /** Adds a name; `false` when this graph already has it. Hiding an outer name is allowed. */
  define(name: string): boolean {
    if (this.#names.has(name)) return false;
    this.#names.add(name);
    return true;
  }

  sees(name: string): boolean {
    return this.#names.has(name) || (this.#outer?.sees(name) ?? false);
  }
}
