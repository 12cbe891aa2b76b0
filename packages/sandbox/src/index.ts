/**
 * Runs a command under limits. Each driver is an entry point of its own (`./bubblewrap`,
 * `./docker`, `./process`, or all of them by `./drivers`), so that a program loads only the clients
 * that it uses.
 */
export { collectFiles } from './archive/collect.ts';
export type {
  Availability,
  CollectedFile,
  Command,
  EndedBy,
  Ending,
  Enforcement,
  Limits,
  Mount,
  NetworkPolicy,
  RunningCommand,
  SandboxDriver,
  SandboxName,
  SandboxSession,
  SessionOptions,
  Usage,
} from './contract.ts';
export { describeSandboxes, type SandboxDescription } from './describe-sandboxes.ts';
export { runUntrusted, type UntrustedCommand, type UntrustedResult } from './run-untrusted.ts';
export { sandboxView } from './view.ts';
export { isRegisteredFolder, registeredName } from './images.ts';
