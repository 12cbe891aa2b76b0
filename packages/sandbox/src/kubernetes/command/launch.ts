/** A command in a pod: a shell of the driver waits in it, and becomes the command. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from '../../command/command.ts';
import type { Command } from '../../contract.ts';
import { nextLookMs, type Counts } from '../../command/supervision.ts';
import type { AllLimits } from '../../command/limits.ts';
import { openChannel, type Channel, type ChannelStatus } from '../cluster/channel.ts';
import type { ContainerCounts } from '../pod/control.ts';
import { MAIN, WORKSPACE } from '../pod/manifests.ts';
import type { Pod } from '../pod/pod.ts';

const COMMAND = readFileSync(new URL('command.sh', import.meta.url), 'utf8');
const ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  HOME: '/tmp',
  LANG: 'C.UTF-8',
};
/** Process 1, and the shell that waits for the next command. */
const OWN_PROCESSES = 2;
/** A look at the counts costs a message; between two, a command may exceed its cpu time by so much, in milliseconds. */
const SOONEST_LOOK_MS = 25;
const LATEST_LOOK_MS = 2000;
/** A shell's status of a process that SIGKILL has ended. */
const KILLED_STATUS = 128 + 9;
/** How long a killed command may take to end before its pod is removed, in milliseconds. */
const KILL_PATIENCE_MS = 1000;
/**
 * How long process 1 may take to sweep after a command before its pod is removed, in milliseconds: a
 * guest that has traced it may have left it stopped.
 */
const SWEEP_PATIENCE_MS = 10_000;

/** @throws ClusterError; SkeinError SANDBOX_LOST. */
export async function launchIn(pod: Pod, command: Command, limits: AllLimits): Promise<Launch> {
  const before = await pod.counts();
  const shell = [
    '/bin/sh',
    '-c',
    COMMAND,
    'sh',
    shellNumber(limits.fileBytes / 512),
    // A second more: the count of the container decides; this holds when the worker does not look.
    shellNumber(limits.cpuMs / 1000 + 1),
    shellNumber(limits.pids + OWN_PROCESSES),
  ];
  const { channel, pid } = await pod.enter(async () => {
    const opened = await openChannel(pod.cluster, pod.path, MAIN, shell);
    return { channel: opened, pid: await firstLine(opened) };
  });
  const counted = countsOf(before, limits);
  const over = new AbortController();
  void counted.follow(pod, over.signal);

  let isKilled = false;
  const kill = (): void => {
    if (isKilled) return;
    isKilled = true;
    pod.killCommand(pid);
    void sleep(KILL_PATIENCE_MS, undefined, { signal: over.signal, ref: false })
      .then(() => pod.remove())
      .catch(() => undefined);
  };
  /** Whether the kernel killed the whole container, and the connections with it. */
  const outOfMemory = async (): Promise<boolean> => {
    const isLost = await pod.counts().then(
      (now) => (counted.update(now), pod.isLost()),
      () => true,
    );
    if (!isLost || !(await pod.endedOutOfMemory())) return false;
    counted.outOfMemory();
    return true;
  };
  return {
    slot: {
      stdin: channel.stdin,
      stdout: channel.stdout,
      stderr: channel.stderr,
      group: counted.counts,
      kill,
      remove: () => Promise.resolve(channel.close()),
    },
    begin() {
      const words = Object.entries({ ...ENVIRONMENT, ...command.env });
      channel.stdin.write(
        encodeWords([
          command.cwd ?? WORKSPACE,
          'env',
          '-i',
          ...words.map((pair) => pair.join('=')),
          ...command.argv,
        ]),
      );
    },
    async status() {
      const ended = await Promise.race([channel.ended, pod.lost.then(() => undefined)]);
      const status = ended === undefined ? undefined : exitStatus(ended);
      if (isKilled) return status ?? KILLED_STATUS;
      if (status !== undefined && status !== KILLED_STATUS) return status;
      if (await outOfMemory()) return KILLED_STATUS;
      if (status === undefined) throw pod.lostError();
      return status;
    },
    async empty() {
      over.abort();
      const late = setTimeout(() => void pod.remove().catch(() => undefined), SWEEP_PATIENCE_MS);
      await pod
        .left(pid)
        .finally(() => clearTimeout(late))
        .then(counted.update, async () => isKilled || (await outOfMemory()));
    },
    signal: (name) => pod.signal(name, pid),
  };
}

/** Counts of one command: its container's counts since the command began. */
function countsOf(before: ContainerCounts, limits: AllLimits) {
  let now = before;
  let groupKilled = 0;
  const counts: Counts = {
    cpuMs: () => now.cpuMs - before.cpuMs,
    /** The peak of the container: of an earlier command of the session when that was higher. */
    peakMemoryBytes: () => Math.min(now.peakMemoryBytes, limits.memoryBytes),
    outOfMemoryKills: () => now.outOfMemoryKills - before.outOfMemoryKills + groupKilled,
  };
  return {
    counts,
    outOfMemory: () => void (groupKilled = 1),
    update: (counted: ContainerCounts) => void (now = counted),
    /** Polls until the signal: the sooner, the nearer the limit of cpu time is. */
    async follow(pod: Pod, signal: AbortSignal): Promise<void> {
      const { cpuMs, cores } = limits;
      try {
        while (!signal.aborted) {
          const soon = nextLookMs(counts.cpuMs(), cpuMs, cores, SOONEST_LOOK_MS, LATEST_LOOK_MS);
          await sleep(soon, undefined, { signal, ref: false });
          now = await pod.counts();
        }
      } catch {
        // The command has ended, or the pod, which its status shows.
      }
    },
  };
}

/**
 * One word a line after their number, with line feeds and backslashes escaped as command.sh reads
 * them. Words do not travel in the address of the request, where logs of the API server keep them.
 */
export function encodeWords(words: readonly string[]): string {
  const lines = words.map((word) =>
    word.replaceAll(/[\\\n]/g, (each) => (each === '\\' ? String.raw`\0134` : String.raw`\0012`)),
  );
  return `${words.length}\n${lines.join('\n')}\n`;
}

/** The status in a shell's encoding; undefined when the API server does not know it. */
export function exitStatus({ status, details, message }: ChannelStatus): number | undefined {
  if (status === 'Success') return 0;
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (code !== undefined && /^\d{1,3}$/.test(code)) return Number(code);
  const exitCode = /exit code (\d{1,3})/.exec(message ?? '')?.[1];
  return exitCode === undefined ? undefined : Number(exitCode);
}

/** The process id that the waiting shell prints; what follows stays in the stream. @throws Error. */
async function firstLine({ stdout, stderr, ended }: Channel): Promise<number> {
  let output = '';
  while (!output.includes('\n')) {
    const chunk: Buffer | null = stdout.read() as Buffer | null;
    if (chunk === null) {
      const isOver = await Promise.race([
        new Promise<false>((resolve) => stdout.once('readable', () => resolve(false))),
        ended.then(() => true),
      ]);
      if (isOver)
        throw new Error(`no command starts in the pod: ${String(stderr.read() ?? output)}`);
      continue;
    }
    output += chunk.toString('latin1');
  }
  return Number.parseInt(output, 10);
}

function shellNumber(value: number): string {
  return Number.isFinite(value) ? String(Math.ceil(value)) : '-';
}
