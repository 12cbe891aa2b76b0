/** Writes files into a workspace: a tar program in a sandbox unpacks them, never the host. */
import { SkeinError } from '@skein/api';
import type { RunningCommand } from '../contract.ts';
import { runToEnd } from '../command/command.ts';
import { archiveOf, type FileToPut } from './write.ts';

/** Replaces existing files, above all links; leaves the modes of existing folders. */
const UNPACK = [
  'tar',
  '--extract',
  '--file=-',
  '--preserve-permissions',
  '--no-same-owner',
  '--no-overwrite-dir',
  '--touch',
];
const COMPLAINT_BYTES = 64 * 1024;

/**
 * @param start runs a program of the driver in the folder of the workspace.
 * @throws SkeinError REQUEST_INVALID for a path that leaves the workspace, and when the disk is full.
 */
export async function putFiles(
  files: Iterable<FileToPut>,
  start: (argv: readonly string[], stdin: Uint8Array) => RunningCommand,
): Promise<void> {
  const { exitCode, endedBy, stderr } = await runToEnd(
    start(UNPACK, archiveOf(files)),
    COMPLAINT_BYTES,
  );
  if (exitCode === 0) return;
  const why = new TextDecoder().decode(stderr).trim() || endedBy;
  throw new SkeinError('REQUEST_INVALID', `The files cannot be put into the workspace: ${why}`);
}
