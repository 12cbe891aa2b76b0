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

export class Control {
  readonly #channel: Channel;
  readonly #waiting: PromiseWithResolvers<ContainerCounts>[] = [];
  #rest = '';
  #isLost = false;
  /** Resolves when the connection has ended, and with it every process of the sandbox. */
  readonly lost: Promise<void>;

  /** @param channel attached to process 1. */
  constructor(channel: Channel) {
    this.#channel = channel;
    channel.stdout.setEncoding('latin1').on('data', (text: string) => this.#read(text));
    channel.stderr.resume();
    this.lost = channel.ended.then(() => {
      this.#isLost = true;
      for (const { reject } of this.#waiting.splice(0)) reject(lostError());
    });
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** @throws Error when the connection is lost. */
  look(): Promise<ContainerCounts> {
    return this.#ask('look');
  }

  /** Kills every process except process 1; resolves when they are gone. @throws Error when the connection is lost. */
  sweep(): Promise<ContainerCounts> {
    return this.#ask('sweep');
  }

  signal(name: NodeJS.Signals, pid: number): void {
    this.#send(`signal ${name.slice('SIG'.length)} ${pid}`);
  }

  killGroup(pid: number): void {
    this.#send(`group ${pid}`);
  }

  close(): void {
    this.#channel.close();
  }

  #ask(what: string): Promise<ContainerCounts> {
    if (this.#isLost) return Promise.reject(lostError());
    const answer = Promise.withResolvers<ContainerCounts>();
    this.#waiting.push(answer);
    this.#send(what);
    return answer.promise;
  }

  #send(line: string): void {
    if (!this.#isLost) this.#channel.stdin.write(`${line}\n`);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LONGEST_LINE) return this.close();
    for (const line of lines) {
      const [, cpu, peak, kills, groups] = ANSWER.exec(line) ?? [];
      if (groups === undefined) return this.close();
      this.#waiting.shift()?.resolve({
        cpuMs: Number(cpu) / 1000,
        peakMemoryBytes: Number(peak),
        outOfMemoryKills: Number(kills),
        groups: groups as ContainerCounts['groups'],
      });
    }
  }
}

function lostError(): Error {
  return new Error('the connection to process 1 of the pod has ended');
}
