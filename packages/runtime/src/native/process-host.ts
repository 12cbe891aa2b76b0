/**
 * A child process: every byte is copied through a pipe, but a crash costs the node only a retry.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { WORKER_ENTRY, workerEnvironment, type Host } from './host.ts';
import { boundMemory } from './memory-bound.ts';
import type { Reply, Request, Started } from './wire.ts';

/** Characters of the child's last output that the reason contains. */
const LAST_WORDS = 2000;

/** @param maxMemoryBytes memory that the model may use. */
export function processHost(maxMemoryBytes?: number): Host {
  const child = fork(
    fileURLToPath(WORKER_ENTRY),
    maxMemoryBytes === undefined ? [] : [String(maxMemoryBytes)],
    {
      serialization: 'advanced',
      execArgv: [],
      env: workerEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    },
  );
  let lastWords = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`The child process could not start: ${error.message}`));
    // Not `exit`: the last output may not have arrived yet.
    child.once('close', (code, signal) => {
      const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
      const words = lastWords.trim();
      resolve(`The child process ${how}${words === '' ? '.' : `; it said: ${words}`}`);
    });
  });
  /** Messages that wait until the child's memory is bounded; undefined from then on. */
  let early: Request[] | undefined = maxMemoryBytes === undefined ? undefined : [];
  // Sending to a child that has just died fails; `ended` reports it better.
  const send = (message: Request): void => {
    if (child.connected) child.send(message, () => undefined);
  };
  const begin = async (): Promise<void> => {
    if (early === undefined) return;
    await boundMemory(child.pid!, maxMemoryBytes!);
    for (const message of early) send(message);
    early = undefined;
  };
  const host: Host = {
    moves: false,
    send: (message) => {
      if (early === undefined) send(message);
      else early.push(message);
    },
    onReply: () => undefined,
    ended,
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  child.on('message', (message: Reply | Started) => {
    if (message === 'started') void begin();
    else host.onReply(message);
  });
  return host;
}
