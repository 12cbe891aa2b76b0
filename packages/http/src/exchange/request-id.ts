/** Request ids: the client's own if it is safe for headers and logs, otherwise a short new one. */
import { randomBytes } from 'node:crypto';

const FIT = /^[\w.:/+=@-]{1,128}$/;

/** Distinguishes processes; the counter distinguishes the requests of one process. */
const process = randomBytes(5).toString('hex');
let counter = 0;

export function requestIdFrom(sent: string | undefined): string {
  if (sent !== undefined && FIT.test(sent)) return sent;
  return `${process}-${(counter++).toString(36)}`;
}
