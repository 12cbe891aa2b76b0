/**
 * The connection to process 1 of a sandbox (process-one.sh). It asks for the kernel's counts and
 * kills; when it ends, the sandbox ends. A guest that traces process 1 could answer in its place, so
 * answers are read as hostile input: they decide about this sandbox only.
 */
import { readFileSync } from 'node:fs';
import type { Channel } from '../cluster/channel.ts';

export const PROCESS_ONE = readFileSync(new URL('process-one.sh', import.meta.url), 'utf8');

/** The kernel's counts for the container, since its start. */
export interface ContainerCounts {
  readonly cpuMs: number;
  readonly peakMemoryBytes: number;
  readonly outOfMemoryKills: number;
  readonly groups: 'v1' | 'v2' | 'none';
}

const ANSWER = /^(?:look|swept) (\d{1,15}) (\d{1,15}) (\d{1,9}) (v1|v2|none)$/;
const LONGEST_LINE = 256;

export type Control = ReturnType<typeof controlOver>;

/** @param channel attached to process 1. */
export function controlOver(channel: Channel) {
  const waiting: PromiseWithResolvers<ContainerCounts>[] = [];
  let rest = '';
  let isLost = false;
  channel.stdout.setEncoding('latin1').on('data', read);
  channel.stderr.resume();
  const lost = channel.ended.then(() => {
    isLost = true;
    for (const { reject } of waiting.splice(0)) reject(lostError());
  });

  function send(line: string): void {
    if (!isLost) channel.stdin.write(`${line}\n`);
  }

  function ask(what: string): Promise<ContainerCounts> {
    if (isLost) return Promise.reject(lostError());
    const answer = Promise.withResolvers<ContainerCounts>();
    waiting.push(answer);
    send(what);
    return answer.promise;
  }

  function read(text: string): void {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) return channel.close();
    for (const line of lines) {
      const [, cpu, peak, kills, groups] = ANSWER.exec(line) ?? [];
      if (groups === undefined) return channel.close();
      waiting.shift()?.resolve({
        cpuMs: Number(cpu) / 1000,
        peakMemoryBytes: Number(peak),
        outOfMemoryKills: Number(kills),
        groups: groups as ContainerCounts['groups'],
      });
    }
  }

  return {
    /** Resolves when the connection has ended, and with it every process of the sandbox. */
    lost,
    isLost: () => isLost,
    /** @throws Error when the connection is lost. */
    look: () => ask('look'),
    /** Kills every process except process 1; resolves when they are gone. @throws Error when the connection is lost. */
    sweep: () => ask('sweep'),
    signal: (name: NodeJS.Signals, pid: number) =>
      send(`signal ${name.slice('SIG'.length)} ${pid}`),
    killGroup: (pid: number) => send(`group ${pid}`),
    close: () => channel.close(),
  };
}

function lostError(): Error {
  return new Error('the connection to process 1 of the pod has ended');
}
