/** How to mend an error of this service. */
import type { ErrorCode } from '@skein/api';

/** Fixes that differ from the table, which describes a node. */
export const FIXES: Readonly<Partial<Record<ErrorCode, string>>> = {
  USAGE: '`skein-health --help` shows the usage.',
  ROUTE_UNKNOWN: '/cds-services lists the services; docs/guide/health.md lists every path.',
  REQUEST_INVALID:
    'Correct the member that the message names; docs/guide/health.md shows a request.',
  PORT_IN_USE: 'Choose another with --port; 0 takes any free one.',
  DATA_FOLDER_LOCKED: 'Stop the service that runs on it, or choose another folder with --data.',
};
