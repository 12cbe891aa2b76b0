/** Ids of requests: the client's own where they are fit for headers and logs, else a short fresh one. */
import { randomBytes } from 'node:crypto';

const FIT = /^[\w.:/+=@-]{1,128}$/;

/** Tells processes apart; the counter tells their requests apart. */
const process = randomBytes(5).toString('hex');
let counter = 0;

export function requestIdFrom(sent: string | undefined): string {
  if (sent !== undefined && FIT.test(sent)) return sent;
  return `${process}-${(counter++).toString(36)}`;
}
