/** Tokens for Vertex AI. */
import { googleHeaders } from '@skein/state/google';
import { upstreamError } from '../../wire/upstream-error.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

export async function vertexCredentials(
  provider: string,
): Promise<() => Promise<Record<string, string>>> {
  const headers = await googleHeaders(SCOPE);
  return async () => {
    try {
      return await headers();
    } catch {
      // The library's own message may name files of the operator.
      throw upstreamError('UPSTREAM_DENIED', {
        provider,
        isOfBackend: true,
        message: 'this node has no credentials of Google Cloud.',
      });
    }
  };
}
