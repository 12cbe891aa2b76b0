/** The result of verifying a package; the same for text, for `--json` and for a service. */
import type { Verdict } from '../judging/verdict.ts';

export interface ExampleReport {
  /** Relative to `submissions/`. */
  readonly name: string;
  readonly language: string | undefined;
  readonly verdict?: Verdict | undefined;
  /** The reason of the verdict, or why the example was not run. */
  readonly reason: string;
  readonly failingTest?: string | undefined;
  readonly score?: number | undefined;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** Verdicts of the tests, by name. */
  readonly tests: Readonly<Record<string, Verdict>>;
  /** Differences from the requirements. */
  readonly problems: readonly string[];
  /** Its language is missing here, so the example was not checked. */
  readonly notRun: boolean;
}

export interface CheckReport {
  readonly name: string;
  readonly ok: boolean;
  /** The tool that would check it is missing here. */
  readonly notChecked?: boolean;
  readonly message: string;
}

export interface VerifyReport {
  readonly problem: string;
  readonly ok: boolean;
  readonly timeLimitMs: number | undefined;
  readonly timeLimitInferred: boolean;
  readonly slowestAcceptedMs: number | undefined;
  readonly fastestTooSlowMs: number | undefined;
  readonly inputs: readonly CheckReport[];
  readonly outputs: readonly CheckReport[];
  readonly examples: readonly ExampleReport[];
  /** Problems of the package as a whole. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export type VerifyEvent =
  | { readonly type: 'input'; readonly check: CheckReport }
  | { readonly type: 'output'; readonly check: CheckReport }
  | { readonly type: 'example-started'; readonly name: string }
  | { readonly type: 'example'; readonly report: ExampleReport }
  | { readonly type: 'time-limit'; readonly ms: number; readonly inferred: boolean }
  | { readonly type: 'report'; readonly report: VerifyReport };
