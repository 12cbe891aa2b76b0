/**
 * The names that a version of the format gives to the parts of a package. Packages of the draft have
 * the names of either neighbour, as the draft was written over two years. Legacy packages for DOMjudge
 * have the newer names of validators.
 */
import type { PackageFolder } from './archive/package-folder.ts';

export interface Layout {
  readonly statement: string;
  readonly inputValidators: readonly string[];
  readonly outputValidator: string;
  /** File with the rules of a group of tests. */
  readonly groupFile: string;
}

/** The draft, and the name by which tools accept it too. */
export const DRAFTS = ['2023-07', '2023-07-draft'] as const;

const CURRENT: Layout = {
  statement: 'statement',
  inputValidators: ['input_validators'],
  outputValidator: 'output_validator',
  groupFile: 'test_group.yaml',
};

const LEGACY: Layout = {
  statement: 'problem_statement',
  inputValidators: ['input_validators', 'input_format_validators', 'input_validator'],
  outputValidator: 'output_validators',
  groupFile: 'testdata.yaml',
};

/** By the value of `problem_format_version`. */
const LAYOUTS: Readonly<Record<string, (folder: PackageFolder) => Layout>> = {
  '2025-09': () => CURRENT,
  '2023-07': draftLayout,
  '2023-07-draft': draftLayout,
  legacy: legacyLayout,
  'legacy-icpc': legacyLayout,
};

export const VERSIONS = Object.keys(LAYOUTS);

/** @param version one of `VERSIONS`. */
export function layoutOf(version: string, folder: PackageFolder): Layout {
  return (LAYOUTS[version] ?? draftLayout)(folder);
}

function draftLayout(folder: PackageFolder): Layout {
  const hasOld = (name: string): boolean => folder.under(name).length > 0;
  const groupFiles = folder.under('data').map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
  return {
    statement: hasOld(LEGACY.statement) ? LEGACY.statement : CURRENT.statement,
    inputValidators: LEGACY.inputValidators,
    outputValidator: outputValidatorOf(folder),
    groupFile: groupFiles.includes(LEGACY.groupFile) ? LEGACY.groupFile : CURRENT.groupFile,
  };
}

function legacyLayout(folder: PackageFolder): Layout {
  return { ...LEGACY, outputValidator: outputValidatorOf(folder) };
}

const outputValidatorOf = (folder: PackageFolder): string =>
  folder.under(LEGACY.outputValidator).length === 0 &&
  folder.under(CURRENT.outputValidator).length > 0
    ? CURRENT.outputValidator
    : LEGACY.outputValidator;
