/**
 * Runs one untrusted command in the first suitable sandbox of this machine: for programs that need
 * a result and no session.
 */
import { refuseUnknown, SkeinError } from '@skein/api';
import { defined } from '@skein/api/defined';
import { isRecord, refuseUnknownLimits } from './command/limits.ts';
import type { Ending, Limits, SandboxDriver } from './contract.ts';
import { openDrivers } from './drivers.ts';

export interface UntrustedCommand {
  /** The program and its arguments; nothing passes through a shell. */
  readonly argv: readonly string[];
  /** Files of the workspace, which is the working directory, by their relative paths. */
  readonly files?: Readonly<Record<string, string | Uint8Array>> | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly stdin?: string | Uint8Array | undefined;
  /** Absent limits have defaults: 10 s, 256 MiB, 64 processes, 1 MiB of output. */
  readonly limits?: Partial<Limits> | undefined;
  /** Default: all drivers of this machine, the fastest to start first. */
  readonly drivers?: readonly SandboxDriver[] | undefined;
}

export interface UntrustedResult extends Ending {
  readonly stdout: string;
  readonly stderr: string;
  /** The driver that ran it. */
  readonly sandbox: SandboxDriver['name'];
}

const FIELDS: Readonly<Record<keyof UntrustedCommand, true>> = {
  argv: true,
  files: true,
  env: true,
  stdin: true,
  limits: true,
  drivers: true,
};

const MIB = 2 ** 20;
const DEFAULTS: Limits = {
  wallMs: 10_000,
  memoryBytes: 256 * MIB,
  pids: 64,
  outputBytes: MIB,
  fileBytes: 64 * MIB,
  diskBytes: 64 * MIB,
};

/**
 * Runs without network, and without anything of the host that could be written. A limit that the
 * sandbox cannot enforce here is an error, not a weaker sandbox.
 * @throws SkeinError SANDBOX_UNAVAILABLE, SANDBOX_UNSUPPORTED, REQUEST_INVALID.
 */
export async function runUntrusted(command: UntrustedCommand): Promise<UntrustedResult> {
  if (!isRecord(command)) {
    throw new SkeinError('REQUEST_INVALID', 'The command must be an object with its argv.');
  }
  refuseUnknown(command, FIELDS, 'command');
  const { argv, env = {}, stdin, files = {}, limits = {} } = command;
  for (const [name, value] of Object.entries({ env, files, limits })) {
    if (!isRecord(value)) throw new SkeinError('REQUEST_INVALID', `${name} must be an object.`);
  }
  refuseUnknownLimits(limits);
  checkDrivers(command.drivers);
  const drivers = command.drivers ?? (await openDrivers());
  try {
    const driver = await firstForUntrusted(drivers);
    const session = await driver.open({
      mounts: [],
      limits: { ...DEFAULTS, ...defined(limits) },
      network: 'none',
      untrusted: true,
    });
    try {
      await session.put(
        Object.entries(files).map(([path, content]) => ({
          path,
          content: bytesOf(content, `The file ${JSON.stringify(path)}`),
        })),
      );
      const ending = await session.run({
        argv,
        workspace: 'writable',
        env,
        ...(stdin === undefined ? {} : { stdin: bytesOf(stdin, 'stdin') }),
      });
      return {
        ...ending,
        stdout: Buffer.from(ending.stdout).toString('utf8'),
        stderr: Buffer.from(ending.stderr).toString('utf8'),
        sandbox: driver.name,
      };
    } finally {
      await session.close();
    }
  } finally {
    // Drivers that the caller gave stay open.
    if (command.drivers === undefined) await Promise.all(drivers.map((each) => each.close()));
  }
}

function checkDrivers(drivers: UntrustedCommand['drivers']): void {
  if (drivers === undefined) return;
  const isDriver = (each: SandboxDriver | undefined): boolean => typeof each?.open === 'function';
  if (Array.isArray(drivers) && drivers.length > 0 && drivers.every(isDriver)) return;
  throw new SkeinError(
    'REQUEST_INVALID',
    'drivers must be a list with at least one driver: openDriver(name) makes one.',
  );
}

/** The first driver that runs untrusted work here. @throws SkeinError SANDBOX_UNAVAILABLE. */
export async function firstForUntrusted(drivers: readonly SandboxDriver[]): Promise<SandboxDriver> {
  const reasons: string[] = [];
  for (const driver of drivers) {
    const here = await driver.availability();
    if (here.available && here.enforcement.untrusted) return driver;
    reasons.push(
      `${driver.name}: ${here.available ? 'not for untrusted work' : `${here.reason} (${here.fix})`}`,
    );
  }
  throw new SkeinError(
    'SANDBOX_UNAVAILABLE',
    `No sandbox of this machine runs untrusted work. ${reasons.join('; ')}.`,
  );
}

function bytesOf(content: string | Uint8Array, what: string): Uint8Array {
  if (typeof content === 'string') return Buffer.from(content);
  if (content instanceof Uint8Array) return content;
  throw new SkeinError('REQUEST_INVALID', `${what} must be a text or a Uint8Array.`);
}
