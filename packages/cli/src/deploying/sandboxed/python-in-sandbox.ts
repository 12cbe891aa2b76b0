/**
 * Runs a script of this package with the machine's Python in a sandbox: for files that are hostile code, such as
 * pickles and archives of TorchScript.
 *
 * The script gets no network and a bounded share of the machine. It sees its own text, the file and its options, and
 * the files that it is asked for are all that comes out. They are as hostile as the file: the caller parses them so.
 *
 * A script is started as `python3 script.py OPTIONS`, with its options as JSON. It reads `input`, writes its outputs
 * next to it, and refuses a file by `REFUSED: ` and its reason at the end of stderr, with exit status 3.
 */
import { readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import { usableMemoryBytes, usableThreads } from '@skein/api/machine';
import { safeText } from '@skein/api/safe-text';
import { formatBytes, formatDuration } from '@skein/api/units';
import {
  firstForUntrusted,
  openDrivers,
  type SandboxDriver,
  type SandboxSession,
} from '@skein/sandbox';
import type { Context } from '../../command-line/command.ts';
import { missingPackages, type MachinePython, type PythonPackage } from './machine-python.ts';

export interface PythonWork {
  readonly python: MachinePython;
  /** Packages that the script imports, for the error of a sandbox that does not show them. */
  readonly packages: readonly PythonPackage[];
  /** The script: a .py file of this package. */
  readonly script: URL;
  /** Files next to the script, by name: modules that it imports, and further inputs. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
  /** Values that JSON can hold. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly input: Uint8Array;
  /** The file as the user wrote it, for messages. */
  readonly given: string;
  /** Names of the files that come out. */
  readonly outputs: readonly string[];
  readonly limits?: Partial<ConversionLimits>;
}

export interface ConversionLimits {
  readonly wallMs: number;
  readonly memoryBytes: number;
}

export interface PythonOutcome {
  /** By name; each of `outputs`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The end of what the script has printed on stderr. */
  readonly stderr: string;
  readonly sandbox: string;
}

/** Ten times what a model of a gigabyte takes. */
const WALL_MS = 10 * 60_000;
/** Share of the usable memory; the node and this process need the rest. */
const MEMORY_SHARE = 0.5;
/** PyTorch starts a thread for each core, twice. */
const MOST_PROCESSES = 512;
const MOST_PRINTED = 2 ** 20;
/** The largest ONNX file is 2 GiB. */
const MOST_OUTPUT = 2 ** 31;
const REFUSED = 3;
const REASON_CHARACTERS = 2000;

/** @throws SkeinError SANDBOX_UNAVAILABLE, CONVERTER_MISSING, CONVERSION_LIMIT, CONVERSION_FAILED. */
export async function pythonInSandbox(
  { notes, signal }: Pick<Context, 'notes' | 'signal'>,
  work: PythonWork,
): Promise<PythonOutcome> {
  const drivers = await openDrivers();
  try {
    const driver = await chosen(drivers, work.given);
    notes.step(`Converting ${work.given} in a sandbox: ${driver.name}`);
    const limits = {
      wallMs: WALL_MS,
      memoryBytes: Math.floor(usableMemoryBytes() * MEMORY_SHARE),
      ...work.limits,
    };
    const session = await driver.open({
      mounts: work.python.mounts,
      limits: {
        ...limits,
        pids: MOST_PROCESSES,
        outputBytes: MOST_PRINTED,
        fileBytes: MOST_OUTPUT,
        // The disk of a sandbox is memory.
        diskBytes: limits.memoryBytes,
        cores: usableThreads(),
      },
      network: 'none',
      untrusted: true,
      signal,
    });
    try {
      return await convert(session, driver, work, limits);
    } finally {
      await session.close();
    }
  } finally {
    await Promise.all(drivers.map((each) => each.close()));
    notes.clear();
  }
}

async function chosen(drivers: readonly SandboxDriver[], given: string): Promise<SandboxDriver> {
  try {
    return await firstForUntrusted(drivers);
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    const message = `"${given}" can run code, so that it is converted in a sandbox only. ${error.message} Or convert it to ONNX where it was made, and deploy the .onnx file.`;
    throw new SkeinError(error.code, message, { cause: error });
  }
}

async function convert(
  session: SandboxSession,
  { name }: SandboxDriver,
  { python, packages, script, files = new Map(), options, input, given, outputs }: PythonWork,
  limits: ConversionLimits,
): Promise<PythonOutcome> {
  await session.put([
    { path: 'script.py', content: await readFile(script) },
    { path: 'input', content: input },
    ...[...files].map(([path, content]) => ({ path, content })),
  ]);
  const ending = await session.run({
    argv: [python.program, 'script.py', JSON.stringify(options)],
    workspace: 'writable',
    env: python.env,
  });
  const stderr = safeText(Buffer.from(ending.stderr).toString('utf8')).trimEnd();
  const failed = (reason: string): SkeinError =>
    new SkeinError('CONVERSION_FAILED', `"${given}": ${cut(reason)}`);
  const exceeded = (what: string): SkeinError =>
    new SkeinError('CONVERSION_LIMIT', `The conversion of "${given}" ${what}.`);
  switch (ending.endedBy) {
    case 'exit':
      break;
    case 'wall-limit':
      throw exceeded(`took longer than ${formatDuration(limits.wallMs)}`);
    case 'out-of-memory':
      throw exceeded(`took more than ${formatBytes(limits.memoryBytes)} of memory`);
    case 'output-limit':
      throw exceeded(`printed more than ${formatBytes(MOST_PRINTED)}`);
    default:
      throw failed(`the conversion was ended by ${ending.signal ?? ending.endedBy}.`);
  }
  const exitCode = ending.exitCode ?? 0;
  if (exitCode === REFUSED) throw failed(stderr.slice(stderr.lastIndexOf('REFUSED: ') + 9));
  if (exitCode !== 0) {
    const last = stderr.slice(stderr.lastIndexOf('\n') + 1);
    // A sandbox with programs of its own does not show the host's Python.
    if (exitCode >= 126 || last.startsWith('ModuleNotFoundError: No module named')) {
      throw missingPackages(packages, `The sandbox ${name} shows no Python with`);
    }
    throw failed(last === '' ? `the conversion ended with status ${exitCode}.` : last);
  }
  return { files: await collected(session, outputs, failed), stderr, sandbox: name };
}

async function collected(
  session: SandboxSession,
  outputs: readonly string[],
  failed: (reason: string) => SkeinError,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  try {
    for await (const { path, content } of session.collect(outputs, MOST_OUTPUT)) {
      const parts: Uint8Array[] = [];
      for await (const part of content) parts.push(part);
      files.set(path, Buffer.concat(parts));
    }
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    throw failed(error.message);
  }
  return files;
}

const cut = (reason: string): string =>
  reason.length <= REASON_CHARACTERS ? reason : `${reason.slice(0, REASON_CHARACTERS)} …`;
