/**
 * Runs a command under limits. The drivers are doors of their own (`./bubblewrap`, `./docker`,
 * `./process`, or all of them by `./drivers`), so that a program loads the clients that it uses.
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
