/** What an attack is: traffic that a node must survive inside its bounds. */
export interface Target {
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Absent: the attack has no key. */
  readonly key?: string;
}

export interface Attack {
  /** As the table shows it. */
  readonly name: string;
  /**
   * Attacks until the signal; resolves when all connections are closed. No response of the node is
   * an error.
   */
  run(target: Target, until: AbortSignal): Promise<void>;
}

/** Runs `turn` in the given number of concurrent loops, until the signal. */
export async function inLoops(
  loops: number,
  until: AbortSignal,
  turn: (index: number) => Promise<void>,
): Promise<void> {
  const loop = async (index: number): Promise<void> => {
    while (!until.aborted) {
      await turn(index).catch(() => {});
      // Refusals at once must not starve the timer that ends the attack.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await Promise.all(Array.from({ length: loops }, (_, index) => loop(index)));
}
