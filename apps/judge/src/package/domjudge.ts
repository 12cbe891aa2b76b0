/**
 * DOMjudge's additions at the root of a package: the time limit in `.timelimit`, and its own settings in
 * `domjudge-problem.ini`.
 *
 * `limits.time_limit` of problem.yaml comes first, then the settings, then `.timelimit`, which must
 * agree with them. Settings of a contest, such as a colour, are ignored with a warning.
 *
 * Follows https://www.domjudge.org/docs/manual/main/problem-format.html.
 */
import { SkeinError } from '@skein/api';
import { type PackageFolder, TIME_LIMIT_FILE } from './archive/package-folder.ts';
import type { Metadata } from './format/metadata.ts';
import { invalid } from './invalid.ts';

const SETTINGS_FILE = 'domjudge-problem.ini';

/** Bytes of either file; both are written by hand. */
const MAX_BYTES = 64 * 2 ** 10;
/** `key = value`; a quoted value may have several lines. Takes linear time. */
const SETTING = /^[ \t]*([\w.-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^\n;]*))/gm;
/** A program of the server, in place of the package's; programs of every server change nothing. */
const PROGRAMS: Readonly<Record<string, string>> = {
  special_compare: 'compare',
  special_run: 'run',
};

export type DomjudgeSettings = ReadonlyMap<string, string>;

/** @throws SkeinError PROBLEM_INVALID when the file is too large or not UTF-8. */
export async function readDomjudgeSettings(folder: PackageFolder): Promise<DomjudgeSettings> {
  if (!folder.has(SETTINGS_FILE)) return new Map();
  const text = await folder.readText(SETTINGS_FILE, MAX_BYTES);
  return new Map(
    [...text.matchAll(SETTING)].map(([, key = '', double, single, bare = '']) => [
      key,
      (double ?? single ?? bare).trim(),
    ]),
  );
}

/**
 * The metadata with what DOMjudge's files add.
 *
 * @param hasValidator whether the package has an output validator.
 * @throws SkeinError PROBLEM_INVALID, and PROBLEM_UNSUPPORTED for programs of a server.
 */
export async function withDomjudgeSettings(
  metadata: Metadata,
  settings: DomjudgeSettings,
  folder: PackageFolder,
  hasValidator: boolean,
): Promise<Metadata> {
  const warnings: string[] = [];
  for (const [key, value] of settings) {
    if (key === 'name' || key === 'timelimit') continue;
    const needsServer = key in PROGRAMS && value !== '' && value !== PROGRAMS[key];
    if (needsServer && !(metadata.customValidation === true && hasValidator)) {
      throw new SkeinError(
        'PROBLEM_UNSUPPORTED',
        `${SETTINGS_FILE}: ${key}: "${value.slice(0, 100)}" is a program of a DOMjudge server; put it into output_validators/, with validation: custom.`,
      );
    }
    warnings.push(`${SETTINGS_FILE}: ${key} is a setting of DOMjudge and is ignored.`);
  }
  const given = settings.get('timelimit');
  const fromSettings =
    given === undefined || given === '' ? undefined : milliseconds(SETTINGS_FILE, given);
  const timeMs = metadata.limits.timeMs ?? fromSettings;
  if (fromSettings !== undefined && timeMs !== fromSettings) {
    warnings.push(`${SETTINGS_FILE}: timelimit is ignored: problem.yaml has limits.time_limit.`);
  }
  const fromFile = folder.has(TIME_LIMIT_FILE)
    ? milliseconds(TIME_LIMIT_FILE, (await folder.readText(TIME_LIMIT_FILE, MAX_BYTES)).trim())
    : undefined;
  if (fromFile !== undefined && timeMs !== undefined && timeMs !== fromFile) {
    throw invalid(
      TIME_LIMIT_FILE,
      `it has ${fromFile / 1000} seconds, but the other limit is ${timeMs / 1000} seconds`,
    );
  }
  return {
    ...metadata,
    limits: { ...metadata.limits, timeMs: timeMs ?? fromFile },
    warnings: [...metadata.warnings, ...warnings],
  };
}

function milliseconds(file: string, seconds: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(seconds) ? Number(seconds) * 1000 : Number.NaN;
  if (Number.isFinite(value) && value > 0) return value;
  throw invalid(file, `the time limit "${seconds.slice(0, 100)}" is not a number of seconds`);
}
