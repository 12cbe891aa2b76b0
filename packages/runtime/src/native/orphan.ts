/**
 * A session's child process must not outlive its parent, even one that was killed outright. The
 * closed channel tells an idle child at once; a child in the middle of a long run sees no event, so
 * a small thread looks after the parent instead.
 *
 * Signals that reach the whole process group (Ctrl-C, a service manager's stop) are the parent's to
 * handle: it drains first, and ends its children itself.
 */
import { Worker } from 'node:worker_threads';

/** Milliseconds between two looks at the parent. */
const INTERVAL_MS = 500;

const WATCH = `
const parent = ${process.ppid};
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, ${INTERVAL_MS});
`;

export function dieWithParent(): void {
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  new Worker(WATCH, { eval: true, name: 'parent-watch', execArgv: [] }).unref();
}
