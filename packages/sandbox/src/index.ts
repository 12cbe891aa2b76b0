/**
 * Runs a command under limits. `openDriver` loads a driver when it is used; each is also an entry
 * point of its own (`./bubblewrap`, `./docker`, `./process`) with the options that only it has.
 */
export { collectFiles } from './archive/collect.ts';
export type {
  Availability,
  Command,
  Ending,
  Enforcement,
  Limits,
  Mount,
  NetworkPolicy,
  RunningCommand,
  SandboxDriver,
  SandboxName,
  SandboxSession,
} from './contract.ts';
export { describeSandboxes } from './probe/describe-sandboxes.ts';
export { openDriver, openDrivers } from './drivers.ts';
export { firstForUntrusted, runUntrusted } from './run-untrusted.ts';
export { sandboxView } from './view.ts';
export { howToMake, registeredName } from './images.ts';
