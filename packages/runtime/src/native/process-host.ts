/** A child process: every byte is copied through a pipe, but whatever happens in it costs only a retry. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { WORKER_ENTRY, type Host } from './host.ts';

/** Characters of the child's last words that are kept for the reason. */
const LAST_WORDS = 2000;

export function processHost(): Host {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = fork(fileURLToPath(WORKER_ENTRY), [], {
    serialization: 'advanced',
    execArgv: [],
    env,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let lastWords = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`The child process could not start: ${error.message}`));
    child.once('close', (code, signal) => {
      const how =
        signal === null
          ? `The child process exited with code ${code}`
          : `The child process was ended by ${signal}`;
      const said = lastWords.trim();
      resolve(said === '' ? `${how}.` : `${how}; it said: ${said}`);
    });
  });
  const host: Host = {
    send: (message) => {
      // A dead child is reported by `ended`; the write error says nothing more.
      child.send(message, () => undefined);
    },
    onReply: () => undefined,
    ended,
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  child.on('message', (reply) => host.onReply(reply as never));
  return host;
}
