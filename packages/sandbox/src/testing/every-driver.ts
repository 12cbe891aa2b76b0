/**
 * The common parts of the contract's tests: the drivers of this machine, each with a session that
 * stays open for all tests of a file, and helpers for the programs of a test.
 */
import { Buffer } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe } from 'vitest';
import { SANDBOX_NAMES, SANDBOXES } from '@skein/api/implementations';
import { type Component, requireComponent } from '../../../../scripts/testing/components.ts';
import type {
  Command,
  Ending,
  Limits,
  SandboxDriver,
  SandboxName,
  SandboxSession,
  SessionOptions,
} from '../contract.ts';
import { openDriver } from '../drivers.ts';
import { startTestCluster } from '../kubernetes/testing/test-cluster.ts';

export const MEBIBYTE = 1 << 20;
export const LIMITS: Limits = {
  cpuMs: 20_000,
  wallMs: 60_000,
  memoryBytes: 64 * MEBIBYTE,
  pids: 32,
  outputBytes: 4 * MEBIBYTE,
  fileBytes: 32 * MEBIBYTE,
  diskBytes: 16 * MEBIBYTE,
};
const UNTRUSTED: SessionOptions = { mounts: [], limits: LIMITS, network: 'none', untrusted: true };
const TRUSTED: SessionOptions = {
  mounts: [],
  limits: { ...LIMITS, diskBytes: Infinity },
  network: 'host',
  untrusted: false,
};

/** The component that a driver needs for its tests; one that is not listed is tested everywhere. */
const NEEDS: Readonly<Partial<Record<SandboxName, Component>>> = {
  bubblewrap: 'bubblewrap',
  docker: 'sandbox-image',
  kubernetes: 'test-cluster',
  process: 'linux',
};

/** The drivers that enforce no list of addresses anywhere. */
const NO_LISTS: ReadonlySet<SandboxName> = new Set(['kubernetes']);

/** Starts what a driver needs for its tests; its environment is set until it is closed. */
const PREPARE: Readonly<
  Partial<
    Record<
      SandboxName,
      () => Promise<{ readonly env: Readonly<Record<string, string>>; close(): Promise<void> }>
    >
  >
> = {
  kubernetes: startTestCluster,
};

/** @returns a function that ends what was prepared. */
export async function prepareDriver(name: SandboxName): Promise<() => Promise<void>> {
  const prepared = await PREPARE[name]?.();
  const before = { ...process.env };
  Object.assign(process.env, prepared?.env);
  return async () => {
    for (const variable of Object.keys(prepared?.env ?? {})) {
      if (before[variable] === undefined) delete process.env[variable];
      else process.env[variable] = before[variable];
    }
    await prepared?.close();
  };
}

/** The drivers that can be tested here, for untrusted work or for any. @param needs more than `NEEDS`. */
export function driversHere(work: 'untrusted' | 'any', needs: typeof NEEDS = {}): SandboxName[] {
  return SANDBOX_NAMES.filter((name) => {
    if (work === 'untrusted' && !SANDBOXES[name].isolates) return false;
    const needed = needs[name] ?? NEEDS[name];
    return needed === undefined || !requireComponent(needed).skip;
  });
}

export interface ScriptEnding extends Ending {
  readonly out: string;
  readonly err: string;
}

/** The driver of a test; `driver` and `session` are set while it runs. */
export interface Here {
  readonly name: SandboxName;
  readonly options: SessionOptions;
  /** Whether the driver runs untrusted work. */
  readonly isolates: boolean;
  /** Whether it runs untrusted work, and can enforce a list of addresses for it. */
  readonly lists: boolean;
  /** Whether it can keep a command from changing the workspace. */
  readonly freezes: boolean;
  readonly driver: SandboxDriver;
  readonly session: SandboxSession;
  /** Runs a script in the session. */
  readonly sh: (script: string, more?: Partial<Command>) => Promise<ScriptEnding>;
  /** Files of the session's workspace by their paths, as latin1. */
  readonly collected: (paths: string[], maxBytes?: number) => Promise<Map<string, string>>;
}

/** Runs the same tests for each driver that is available here. */
export function forEachDriver(tests: (here: Here) => void): void {
  describe.each(driversHere('any'))('%s', (name) => {
    const options = SANDBOXES[name].isolates ? UNTRUSTED : TRUSTED;
    let driver: SandboxDriver;
    let session: SandboxSession;
    let unprepare: () => Promise<void>;
    beforeAll(async () => {
      unprepare = await prepareDriver(name);
      driver = await openDriver(name);
      session = await driver.open(options);
    }, 120_000);
    afterAll(async () => {
      await driver.close();
      await unprepare();
    }, 60_000);

    tests({
      name,
      options,
      isolates: options.untrusted,
      lists: options.untrusted && !NO_LISTS.has(name),
      freezes: SANDBOXES[name].freezes,
      get driver() {
        return driver;
      },
      get session() {
        return session;
      },
      async sh(script, more = {}) {
        const command: Command = { argv: ['sh', '-c', script], workspace: 'writable', ...more };
        const { stdout, stderr, ...ending } = await session.run(command);
        const [out, err] = [stdout, stderr].map((stream) => Buffer.from(stream).toString());
        return { ...ending, out: out ?? '', err: err ?? '' };
      },
      async collected(paths, maxBytes = MEBIBYTE) {
        const files = new Map<string, string>();
        for await (const { path, content } of session.collect(paths, maxBytes)) {
          const chunks: Uint8Array[] = [];
          for await (const chunk of content) chunks.push(Uint8Array.from(chunk));
          files.set(path, Buffer.concat(chunks).toString('latin1'));
        }
        return files;
      },
    });
  });
}

/** Resolves when the stream has output; continues to read it. */
export async function untilOutput(stream: Readable, what: string): Promise<void> {
  let output = '';
  await new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(what)) resolve();
    });
  });
}

/** Living processes of this machine that have the word among their arguments, or in their environment. */
export function processesWith(word: string, where: 'cmdline' | 'environ' = 'cmdline'): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/${where}`, 'latin1').includes(word);
      } catch {
        return false;
      }
    });
}
