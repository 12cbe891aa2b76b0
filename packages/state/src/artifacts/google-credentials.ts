/**
 * Headers with a token of Google Cloud, by Google's own library: it accepts every kind of credentials,
 * such as Workload Identity, the service account of the machine, GOOGLE_APPLICATION_CREDENTIALS, and
 * `gcloud auth application-default login`. It is loaded here, so that a node that calls nothing of
 * Google does not load it.
 */
export type GoogleHeaders = () => Promise<Record<string, string>>;

/**
 * Asks for a token before the first call and when the last one is about to end.
 *
 * @param scope what the token is for. @throws the library's error when there are no credentials.
 */
export async function googleHeaders(scope: string): Promise<GoogleHeaders> {
  const { GoogleAuth } = await import('google-auth-library');
  // No request here names a project. Without one, the library asks Google for its name, which needs a role of its own.
  const auth = new GoogleAuth({ scopes: scope, projectId: 'none' });
  return async () => Object.fromEntries(await auth.getRequestHeaders());
}
