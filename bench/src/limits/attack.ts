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
  /** Attacks until the signal; resolves when it holds nothing open. Whatever the node does is no error. */
  run(target: Target, until: AbortSignal): Promise<void>;
}
