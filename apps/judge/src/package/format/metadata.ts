/** `problem.yaml` of every version; `metadata-2025.ts` and `metadata-legacy.ts` read it. */
import { z } from 'zod';
import type { Problem, ProblemType } from '../problem.ts';

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
  /** Legacy: whether the output validator of the package must be there and is used. */
  readonly customValidation: boolean | undefined;
  /** The package has version 2023-07; `version` names the one that it is judged by. */
  readonly draft: boolean;
  /** Legacy `validator_flags`, given to every call of the output validator. */
  readonly validatorFlags: readonly string[];
  readonly warnings: readonly string[];
};

const MIB = 2 ** 20;
const KIB = 2 ** 10;

/** Limits that every version has, with the format's "typical system defaults". */
export const limitFields = (positive: z.ZodNumber) => ({
  memory: positive.default(2048),
  output: positive.default(8),
  code: positive.default(128),
  compilation_time: positive.default(60),
  compilation_memory: positive.default(2048),
  validation_time: positive.default(60),
  validation_memory: positive.default(2048),
  validation_output: positive.default(8),
});

/** Passes of a multi-pass problem; tools write it into other packages too. */
export const passesField = z.int().min(2).optional();

export function passesIn({ multiPass }: ProblemType, given: number | undefined): number {
  return multiPass ? (given ?? 2) : 1;
}

type Limits = Readonly<Record<keyof ReturnType<typeof limitFields>, number>>;

/** The same in the units of this project: whole bytes, which a sandbox holds. */
export function limitsIn(limits: Limits & { readonly time_limit?: number | undefined }) {
  return {
    timeMs: limits.time_limit === undefined ? undefined : limits.time_limit * 1000,
    memoryBytes: Math.ceil(limits.memory * MIB),
    outputBytes: Math.ceil(limits.output * MIB),
    codeBytes: Math.ceil(limits.code * KIB),
    compilationMs: limits.compilation_time * 1000,
    compilationMemoryBytes: Math.ceil(limits.compilation_memory * MIB),
    validationMs: limits.validation_time * 1000,
    validationMemoryBytes: Math.ceil(limits.validation_memory * MIB),
    validationOutputBytes: Math.ceil(limits.validation_output * MIB),
  };
}

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
