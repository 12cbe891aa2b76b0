/** A value outside of the components that several of them show. */
import { useEffect, useReducer } from 'preact/hooks';

export class Store<Value> {
  #value: Value;
  readonly #listeners = new Set<() => void>();

  constructor(value: Value) {
    this.#value = value;
  }

  get value(): Value {
    return this.#value;
  }

  set(value: Value): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The current value; the component renders again when it changes. */
export function useStore<Value>(store: Store<Value>): Value {
  const [, redraw] = useReducer<number, undefined>((count) => count + 1, 0);
  const drawn = store.value;
  useEffect(() => {
    // The effect runs after the browser has painted, and the value may have changed in between.
    if (!Object.is(drawn, store.value)) redraw(undefined);
    return store.subscribe(() => redraw(undefined));
  }, [store]);
  return drawn;
}
