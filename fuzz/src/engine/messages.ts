/** The messages between the supervisor and the process of a target. */
export interface RunnerJob {
  /** Try inputs, make the input `from` and give it back, or try those in `files`. */
  readonly mode: 'fuzz' | 'make' | 'replay';
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  /** Holds the number of the current input, as a double. */
  readonly progressPath: string;
  readonly files?: readonly string[];
}

export interface Finding {
  readonly kind: 'error' | 'slow' | 'memory' | 'hang' | 'crash';
  readonly message: string;
  readonly stack: string;
  readonly index: number;
  /** In base64. */
  readonly input: string;
}

export type RunnerReport =
  | { readonly kind: 'progress'; readonly index: number; readonly accepted: number }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'made'; readonly input: string }
  | {
      readonly kind: 'done';
      readonly index: number;
      readonly accepted: number;
      readonly peakBytes: number;
    };

/** The identity of a cause, whichever input shows it: the kind, and the place in the code. */
export function signatureOf({ kind, message, stack }: Omit<Finding, 'index' | 'input'>): string {
  if (kind === 'hang' || kind === 'crash') return `${kind} ${message}`;
  const place = stack
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line.startsWith('at ') && line.includes('file:'));
  return `${kind} ${place ?? message.replaceAll(/\d+/g, '#').slice(0, 80)}`;
}
