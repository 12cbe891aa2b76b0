/**
 * The hostile corpus over each driver that claims to run untrusted work: every program ends as its comment
 * requires, the next command finds no trace of it, and afterwards the host is unchanged.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { SANDBOXES } from '@skein/api/implementations';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type {
  CollectedFile,
  Command,
  RunningCommand,
  SandboxDriver,
  SandboxSession,
  SessionOptions,
} from '../contract.ts';
import { openDriver } from '../drivers.ts';
import { driversHere } from '../testing/every-driver.ts';
import { leftovers, mounts, setCanaries, type Canaries } from './testing/canaries.ts';
import { describeEnding, endingOf, LIMITS, readCorpus, type HostAction } from './testing/corpus.ts';

/** Has compilers, for the programs that attack with one. */
const IMAGE = 'skein-sandbox:judge';

const CORPUS = requireComponent('gcc').skip ? [] : readCorpus();
const SLATE = readFileSync(join(import.meta.dirname, 'clean-slate.py'), 'utf8');
/** Empties the workspace and /tmp for the next program, whatever modes the last one set. */
const SWEEP =
  'for at in . /tmp; do cd $at && { chmod -R u+rwx . 2>&-; find . -mindepth 1 -delete; }; done';
const COLLECT_BYTES = 1024 * 1024;

test('the corpus is large, and every program declares how it must end', () => {
  expect(CORPUS.length).toBeGreaterThanOrEqual(40);
  for (const { name, what, expect: endings } of CORPUS) {
    expect(what, name).not.toBe('');
    expect(endings.filter(Boolean), name).not.toEqual([]);
  }
});

/** Programs that look for traces may not leave any: they run over a workspace that is kept from them. */
const DRIVERS = driversHere('untrusted', { docker: 'judge-image' }).filter(
  (name) => SANDBOXES[name].freezes,
);

describe.each(DRIVERS)('%s', (name) => {
  let driver: SandboxDriver;
  let canaries: Canaries;
  let session: SandboxSession;
  let victim: SandboxSession;
  let victimRun: RunningCommand;
  let slate: string;
  const mountsBefore = mounts();
  const mark = `guest-${crypto.randomUUID()}`;

  const options: SessionOptions = { mounts: [], limits: LIMITS, network: 'none', untrusted: true };
  const env = (): Record<string, string> => ({
    ...canaries.env,
    VICTIM_MARK: mark,
    DISK_BYTES: String(LIMITS.diskBytes),
  });

  beforeAll(async () => {
    driver = await openDriver(name, { image: IMAGE });
    canaries = await setCanaries();
    session = await driver.open(options);
    victim = await driver.open({ ...options, limits: { ...LIMITS, wallMs: 600_000 } });
    await victim.put([{ path: 'secret', content: Buffer.from(`${mark}+secret`) }]);
    victimRun = victim.start({
      argv: ['sleep', '1000'],
      env: { SECRET: `${mark}+secret` },
      workspace: 'writable',
    });
    slate = await cleanSlate(session);
  }, 120_000);

  afterAll(async () => {
    await driver.close();
    await canaries.close();
  }, 60_000);

  test.each(CORPUS.map((program) => [program.name, program] as const))(
    '%s',
    async (_name, program) => {
      await session.put([
        { path: program.argv[1] ?? 'program', content: program.content, executable: true },
      ]);
      const { argv, limits } = program;
      const ending = await session.run({ argv, limits, env: env(), workspace: 'writable' });
      const output = `${Buffer.from(ending.stdout)}${Buffer.from(ending.stderr)}`.slice(0, 2000);

      expect.soft(output).not.toContain('ESCAPED');
      expect
        .soft(program.expect, `${describeEnding(ending)} ${output}`)
        .toContain(endingOf(ending, program));
      expect.soft(ending.usage.peakMemoryBytes).toBeLessThanOrEqual(LIMITS.memoryBytes);
      for (const action of program.after) await act(session, action, canaries.mark);
      expect.soft(await cleanSlate(session)).toBe(slate);
      await inside(session, ['sh', '-c', SWEEP], 'writable');
      expect.soft(canaries.damage()).toEqual([]);
    },
    60_000,
  );

  test('the other session has neither ended nor changed', async () => {
    const still = await Promise.race([victimRun.ended, Promise.resolve('running')]);
    expect(still).toBe('running');
    for await (const file of victim.collect(['secret'], COLLECT_BYTES)) {
      expect(await contentOf(file)).toBe(`${mark}+secret`);
    }
    expect((await victimRun.kill()).endedBy).toBe('killed');
  });

  test('nothing is left on the host', async () => {
    await driver.close();
    expect(leftovers(mark)).toEqual([]);
    expect(mounts()).toEqual(mountsBefore);
    expect(canaries.damage()).toEqual([]);
  });
});

/** The state that the next command finds in the session. */
async function cleanSlate(session: SandboxSession): Promise<string> {
  return await inside(session, ['python3', '-c', SLATE], 'read-only');
}

async function inside(
  session: SandboxSession,
  argv: readonly string[],
  workspace: Command['workspace'],
): Promise<string> {
  const ending = await session.run({ argv, workspace });
  const stderr = Buffer.from(ending.stderr).toString();
  if (ending.exitCode !== 0) throw new Error(`${describeEnding(ending)} ${stderr}`);
  return Buffer.from(ending.stdout).toString();
}

async function contentOf(file: CollectedFile): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of file.content) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** Performs the host's next action, at a path that the program planted. */
async function act(
  session: SandboxSession,
  { kind, path, refused }: HostAction,
  mark: string,
): Promise<void> {
  let error: unknown;
  try {
    if (kind === 'put') await session.put([{ path, content: Buffer.from('from the host') }]);
    else {
      for await (const file of session.collect([path], COLLECT_BYTES)) {
        const content = await contentOf(file);
        expect.soft(content, file.path).not.toContain(mark);
        expect.soft(file.path.split('/'), file.path).not.toContain('..');
      }
    }
  } catch (thrown) {
    error = thrown;
  }
  const was = `${kind} ${path}: ${String(error)}`;
  expect.soft(error === undefined || error instanceof SkeinError, was).toBe(true);
  if (refused !== undefined) expect.soft(error !== undefined, was).toBe(refused);
}
