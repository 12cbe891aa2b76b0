/**
 * A sandbox driver with what judging needs to know about it: that it holds the limits that verdicts
 * rest on, which toolchains its guests find, and what is mounted for them.
 *
 * Trade-off: toolchains are probed once per sandbox, not per submission; an image that loses one
 * later shows as a compile error.
 */
import { SkeinError } from '@skein/api';
import type { Enforcement, Limits, Mount, SandboxDriver, SandboxSession } from '@skein/sandbox';
import { GUEST_NODE, type Language } from '../languages/language.ts';
import { LANGUAGES } from '../languages/languages.ts';
import { INPUT_CHECKERS } from '../validation/input-checkers.ts';
import { imageFix } from './drivers.ts';
import { isCached, prepareCache, type JudgeSandboxOptions } from './toolchain-cache.ts';

export type Toolchain =
  | { readonly available: true; readonly version: string }
  | { readonly available: false; readonly debianPackage: string };

export interface JudgeSandbox {
  readonly driver: SandboxDriver;
  readonly enforcement: Enforcement;
  /** By language code. */
  readonly toolchains: ReadonlyMap<string, Toolchain>;
  /** Paths of the commands that run scripts of input validators, by name; only those that exist. */
  readonly inputTools: ReadonlyMap<string, string>;
  /** Whether guests can raise their stack limit (prlimit of util-linux). */
  readonly bigStacks: boolean;
  /** Folders of the host with the caches of toolchains, by language code. */
  readonly caches: ReadonlyMap<string, string>;
  open(limits: Limits): Promise<SandboxSession>;
}

/** The facts about a sandbox that the trials found: plain data, for other threads of the process. */
export type JudgeSandboxFacts = Omit<JudgeSandbox, 'driver' | 'open'>;

/** Verdicts mean nothing unless these are enforced. */
const NEEDED = ['cpuMs', 'wallMs', 'memoryBytes', 'pids', 'outputBytes'] as const;

const PROBE_LIMITS: Limits = {
  wallMs: 60_000,
  memoryBytes: 2 ** 30,
  pids: 128,
  outputBytes: 2 ** 16,
  fileBytes: 2 ** 24,
  diskBytes: 2 ** 26,
};

/**
 * @throws SkeinError JUDGE_SANDBOX when the driver may not run untrusted programs, or does not hold
 * what verdicts rest on; the message names the missing part.
 */
export async function openJudgeSandbox(
  driver: SandboxDriver,
  options: JudgeSandboxOptions = {},
): Promise<JudgeSandbox> {
  const availability = await driver.availability();
  if (!availability.available) {
    throw unavailable(driver, availability.reason, availability.fix);
  }
  const { enforcement } = availability;
  if (!enforcement.untrusted) {
    throw new SkeinError(
      'JUDGE_SANDBOX',
      `${driver.name} does not isolate untrusted programs, so it cannot judge.`,
    );
  }
  const lacking = NEEDED.filter((limit) => !enforcement.limits[limit].enforced);
  if (lacking.length > 0 || !enforcement.network.none) {
    const why = lacking.map((limit) => `${limit} (${enforcement.limits[limit].by})`);
    if (!enforcement.network.none) why.push(`network (${enforcement.network.by})`);
    throw new SkeinError('JUDGE_SANDBOX', `${driver.name} does not enforce ${why.join(', ')}.`);
  }
  const nothing: JudgeSandboxFacts = {
    enforcement,
    toolchains: new Map(),
    inputTools: new Map(),
    bigStacks: false,
    caches: new Map(),
  };
  const session = await resumeJudgeSandbox(driver, nothing, options)
    .open(PROBE_LIMITS)
    .catch((error: unknown) => {
      if (!(error instanceof SkeinError)) throw error;
      throw unavailable(driver, error.message, error.row.fix);
    });
  try {
    const toolchains = new Map<string, Toolchain>();
    for (const language of LANGUAGES) toolchains.set(language.code, await probe(session, language));
    const inputTools = await findTools(session);
    const bigStacks = (await exitOf(session, ['prlimit', '--stack=67108864:', 'true'])) === 0;
    const caches = new Map<string, string>();
    for (const language of LANGUAGES.filter(isCached)) {
      const toolchain = toolchains.get(language.code);
      if (toolchain?.available !== true) continue;
      const folder = await prepareCache(language, toolchain.version, driver, options);
      if (folder !== undefined) caches.set(language.code, folder);
    }
    const facts = { enforcement, toolchains, inputTools, bigStacks, caches };
    return resumeJudgeSandbox(driver, facts, options);
  } finally {
    await session.close();
  }
}

function unavailable({ name }: SandboxDriver, reason: string, fix: string): SkeinError {
  const change = imageFix(reason) ?? fix;
  return new SkeinError(
    'JUDGE_SANDBOX',
    `${name}: ${sentence(reason)} To change that: ${sentence(change)}`,
  );
}

/** Makes a driver's message part of a longer sentence. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The sandbox that `facts` were found out about, by this driver or another one of its kind. */
export function resumeJudgeSandbox(
  driver: SandboxDriver,
  facts: JudgeSandboxFacts,
  { image }: Pick<JudgeSandboxOptions, 'image'> = {},
): JudgeSandbox {
  const mounts: Mount[] = [{ source: process.execPath, target: GUEST_NODE }];
  for (const { code, cache } of LANGUAGES.filter(isCached)) {
    const source = facts.caches.get(code);
    if (source !== undefined) mounts.push({ source, target: cache.target });
  }
  return {
    ...facts,
    driver,
    open: (limits) => driver.open({ image, mounts, limits, network: 'none', untrusted: true }),
  };
}

async function probe(session: SandboxSession, { toolchain }: Language): Promise<Toolchain> {
  const result = await session
    .run({ argv: toolchain.probe, workspace: 'read-only' })
    .catch(() => undefined);
  if (result?.exitCode !== 0) return { available: false, debianPackage: toolchain.debianPackage };
  const [version = ''] = new TextDecoder().decode(result.stdout).trim().split('\n');
  return { available: true, version };
}

async function findTools(session: SandboxSession): Promise<Map<string, string>> {
  const names = INPUT_CHECKERS.map(({ tool }) => tool);
  const script = 'for name; do printf "%s\\n" "$(command -v "$name")"; done';
  const argv = ['sh', '-c', script, 'find', ...names];
  const result = await session.run({ argv, workspace: 'read-only' });
  const paths = new TextDecoder().decode(result.stdout).split('\n');
  return new Map(
    names.map((name, i) => [name, paths[i] ?? ''] as const).filter(([, at]) => at !== ''),
  );
}

async function exitOf(session: SandboxSession, argv: readonly string[]): Promise<number | null> {
  const result = await session.run({ argv, workspace: 'read-only' }).catch(() => undefined);
  return result?.exitCode ?? null;
}

/** The first driver that judging can rest on. @throws SkeinError JUDGE_SANDBOX that explains each. */
export async function chooseJudgeSandbox(
  drivers: readonly SandboxDriver[],
  options: JudgeSandboxOptions = {},
): Promise<JudgeSandbox> {
  const reasons: string[] = [];
  for (const driver of drivers) {
    try {
      return await openJudgeSandbox(driver, options);
    } catch (error) {
      if (!(error instanceof SkeinError)) throw error;
      reasons.push(error.message);
    }
  }
  throw new SkeinError('JUDGE_SANDBOX', reasons.join(' ') || 'No sandbox driver is configured.');
}
