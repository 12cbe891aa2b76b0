/** Takes files out of a session into memory, bounded. */
import type { SandboxSession } from '@skein/sandbox';
import { SkeinError } from '@skein/api';

/** @returns by path in the workspace; empty when the paths are missing. */
export async function collectFiles(
  session: SandboxSession,
  paths: readonly string[],
  maxBytes: number,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  try {
    for await (const file of session.collect(paths, maxBytes)) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of file.content) chunks.push(chunk);
      files.set(file.path, new Uint8Array(Buffer.concat(chunks)));
    }
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'SANDBOX_OUTPUT_MISSING') return files;
    throw error;
  }
  return files;
}
