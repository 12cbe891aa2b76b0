/** A child process: every byte is copied through a pipe, but whatever happens in it costs the node only a retry. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { WORKER_ENTRY, workerEnvironment, type Host } from './host.ts';
import type { Reply } from './wire.ts';

/** Characters of the child's last words that are kept for the reason. */
const LAST_WORDS = 2000;

export function processHost(): Host {
  const child = fork(fileURLToPath(WORKER_ENTRY), [], {
    serialization: 'advanced',
    execArgv: [],
    env: workerEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let lastWords = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`The child process could not start: ${error.message}`));
    // Not `exit`: the last words may still be on their way then.
    child.once('close', (code, signal) => {
      const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
      const words = lastWords.trim();
      resolve(`The child process ${how}${words === '' ? '.' : `; it said: ${words}`}`);
    });
  });
  const host: Host = {
    moves: false,
    send: (message) => {
      // Sending to a child that has just died fails; `ended` tells it better.
      if (child.connected) child.send(message, () => undefined);
    },
    onReply: () => undefined,
    ended,
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  child.on('message', (reply) => host.onReply(reply as Reply));
  return host;
}
