/**
 * Random secrets that all nodes of a state share, such as the key of a MAC. They are in no export, and
 * contents that were restored elsewhere have others.
 */
export interface Secrets {
  /**
   * The secret of this name. The first caller's candidate becomes it.
   * @param candidate text from a random source.
   */
  secret(name: string, candidate: string): Promise<string>;
}
