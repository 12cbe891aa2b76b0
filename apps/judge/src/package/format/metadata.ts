/** `problem.yaml` of every version; `metadata-2025.ts` and `metadata-legacy.ts` read it. */
import type { Problem } from '../problem.ts';

export type Metadata = Pick<
  Problem,
  | 'version'
  | 'names'
  | 'uuid'
  | 'license'
  | 'keywords'
  | 'embargoUntil'
  | 'type'
  | 'limits'
  | 'languages'
  | 'allowFileWriting'
  | 'constants'
  | 'objective'
> & {
  /** Legacy: the output validator is in `output_validators/` and must be used. */
  readonly customValidation: boolean | undefined;
  /** The package is of version 2023-07-draft; `version` names the one that it is judged by. */
  readonly draft: boolean;
  /** Legacy `validator_flags`, given to every call of the output validator. */
  readonly validatorFlags: readonly string[];
  readonly warnings: readonly string[];
};

export const MIB = 2 ** 20;
export const KIB = 2 ** 10;

/** The format's "typical system defaults". */
export const DEFAULT_LIMITS = {
  memory: 2048,
  output: 8,
  code: 128,
  compilation_time: 60,
  compilation_memory: 2048,
  validation_time: 60,
  validation_memory: 2048,
  validation_output: 8,
} as const;

export const LICENSES = [
  'unknown',
  'public domain',
  'cc0',
  'cc by',
  'cc by-sa',
  'educational',
  'permission',
] as const;

export function ignoredKeys(keys: readonly string[]): string[] {
  return keys.map((key) => `problem.yaml: ${key} is not a key of the format and is ignored.`);
}

/** Splits flags on spaces, as legacy packages write them; quotes group words. */
export function splitFlags(flags: string): string[] {
  return [...flags.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}
