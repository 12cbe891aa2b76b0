/** Reads JSON from an address of the issuers file: bounded in time and bytes, and never redirected elsewhere. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';

const LARGEST_BYTES = 4 * 2 ** 20;

/**
 * @param timeoutMs for the whole answer.
 * @throws Error for every other answer than JSON with status 200.
 */
export async function fetchJson(
  url: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<unknown> {
  const response = await fetch(url, {
    headers,
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > LARGEST_BYTES) throw new Error(`more than ${LARGEST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return readJson(Buffer.concat(chunks), JSON_BOUNDS.record, 'answer');
}
