/** An attack: traffic that a node must survive inside its bounds. */
export interface Target {
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Absent: the attack has no key. */
  readonly key?: string;
  /** The fleet of the node; absent: it is in none. */
  readonly fleet?: AttackedFleet;
}

export interface AttackedFleet {
  readonly redis: string;
  /** The key that its members prove to each other. */
  readonly key: string;
  /** A deployment that other members hold. */
  readonly deployment: string;
}

export type KeyScope = 'infer' | 'jobs' | 'admin';

export interface Attack {
  /** The name in the table. */
  readonly name: string;
  /** Whether the node is a member of a fleet of three. */
  readonly inFleet?: true;
  /** Whether it is by a member with the key of the fleet, or by a caller with a key: it may take the budget of bodies. */
  readonly hasKey?: true;
  /** Scope of the caller's key; absent: it has none. */
  readonly scope?: KeyScope;
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
