/**
 * Runs a command under limits. `openDriver` loads a driver when it is used; each is also an entry
 * point of its own (`./bubblewrap`, `./docker`, `./process`) with the options that only it has.
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
export { describeSandboxes, type SandboxDescription } from './probe/describe-sandboxes.ts';
export { openDriver, openDrivers, type DriverOptions } from './drivers.ts';
export {
  firstForUntrusted,
  runUntrusted,
  type UntrustedCommand,
  type UntrustedResult,
} from './run-untrusted.ts';
export { sandboxView } from './view.ts';
export { howToMake, registeredName } from './images.ts';
