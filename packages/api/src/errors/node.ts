/** Errors of the node and of the command line. */
import {
  CONFLICT,
  EXISTS,
  FAULT,
  GRPC,
  INVALID,
  PRECONDITION,
  UNAVAILABLE,
  type ErrorRow,
} from './row.ts';

export const NODE_ERRORS = {
  STORAGE_FULL: {
    http: 507,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning:
      'The disk, or the memory of Redis, has reached the limit for requests; nothing was changed.',
    fix: 'Free space on the disk of the data folder with `skein versions rm NAME --keep N`, `skein runs rm RUN` or `skein jobs rm --older-than TIME`. For Redis, free space in the folder of its files or raise maxmemory. Then retry.',
    retryMs: 10_000,
  },
  ARTIFACT_CORRUPT: {
    ...FAULT,
    meaning: 'An artifact is missing, or no longer has its digest, so it is not used.',
    fix: 'Deploy the model file again, or upload what a job names with `skein artifacts put FILE`; then check the disk.',
  },
  STATE_CORRUPT: {
    ...FAULT,
    meaning: 'The database in the data folder is damaged, or is not a database of Skein.',
    fix: 'Restore state.sqlite from a backup, or move it away to start empty; check the disk.',
  },
  STATE_TOO_NEW: {
    ...CONFLICT,
    meaning:
      'The data folder was last used by a newer Skein, whose database this one cannot read; or a fleet writes a schema that this Skein does not read.',
    fix: 'Start the newer Skein, or choose another folder with --data.',
  },
  STATE_CHANGING: {
    ...UNAVAILABLE,
    meaning: 'The state changed during each try to read all of it.',
    fix: 'Export again when fewer deployments change.',
    retryMs: 1000,
  },
  EXPORT_INVALID: {
    ...INVALID,
    meaning: 'The folder is not a whole export of a state, or the folder for one is not empty.',
    fix: 'Copy the export again, or write a new one into an empty folder with `skein state export FOLDER`.',
  },
  IMPORT_CONFLICT: {
    ...EXISTS,
    meaning: 'An import meets a state that is not empty, or records of the same name that differ.',
    fix: 'Import into an empty state. Where some of the records exist already, give --merge, and remove or rename what the message names.',
  },
  DATA_FOLDER_UNUSABLE: {
    ...PRECONDITION,
    meaning: 'The data folder cannot be made or written to.',
    fix: 'Give the user write access to the folder, or choose another with --data; with --folder, where --data names rows.',
  },
  DATA_FOLDER_LOCKED: {
    ...CONFLICT,
    meaning: 'Another node, or a program that serves or runs jobs itself, uses this data folder.',
    fix: 'Stop it, or choose another folder: with --data, or in a program as its `folder`.',
  },
  PORT_IN_USE: {
    ...CONFLICT,
    meaning: 'The requested port is in use.',
    fix: 'Choose another with --port, or omit it to use the next free one.',
  },
  ADDRESS_UNUSABLE: {
    ...PRECONDITION,
    meaning:
      'The address to listen on does not belong to this machine, or this user may not listen there.',
    fix: 'Choose another with --host, such as 127.0.0.1, or another --port.',
  },
  KEYS_REQUIRED: {
    ...PRECONDITION,
    meaning:
      'The node has no valid API key, and needs one: it was started with --keys required, or listens on an address other than loopback.',
    fix: 'Create a key first: `skein keys create --scope admin`, with the --data of the node; or, in a fleet, give all nodes the same one in SKEIN_ADMIN_KEY: `skein keys generate` makes it.',
  },
  TLS_INVALID: {
    ...PRECONDITION,
    meaning: 'The certificate, its private key or the CA of clients cannot be used.',
    fix: 'Give PEM files: --tls-cert with the chain, the node’s own certificate first and none of them expired; --tls-key with its key, without a passphrase; --tls-client-ca with the authorities.',
  },
  FLEET_KEY_INVALID: {
    ...PRECONDITION,
    meaning: 'The key of the fleet is too short to keep strangers out.',
    fix: 'Give all members the same key of at least 32 characters in SKEIN_FLEET_KEY or --fleet-key FILE: openssl rand -hex 32.',
  },
  // The command line.
  USAGE: {
    ...INVALID,
    meaning: 'A command, an option or a value on the command line is wrong or missing.',
    fix: '`skein help` lists the commands, `skein help COMMAND` shows the usage of one.',
  },
  FILE_UNREADABLE: {
    http: 400,
    grpc: GRPC.NOT_FOUND,
    kind: 'user',
    meaning: 'A file that is given by its path cannot be read or written.',
    fix: 'Check the path and its permissions.',
  },
  NODE_UNREACHABLE: {
    ...UNAVAILABLE,
    meaning: 'No node answers at the address.',
    fix: 'Start one with `skein up`, or point --server at it.',
  },
  TLS_FAILED: {
    http: 502,
    grpc: GRPC.UNAVAILABLE,
    kind: 'user',
    meaning:
      'The TLS connection to the node failed: its certificate is not trusted, it requires a client certificate, or one side does not use TLS.',
    fix: 'Name the CA of its certificate with --ca FILE (or SKEIN_CA), and a client certificate, if the node requires one, with --cert and --cert-key; the reason is in the message.',
  },
  INTERNAL: {
    ...FAULT,
    meaning: 'A fault of Skein.',
    fix: 'The node’s log has the details under the request id in the message; please report it.',
  },
} as const satisfies Record<string, ErrorRow>;
