/**
 * Finds credentials in the address of a file. Jobs, lists and logs show addresses, so one with a credential
 * is refused before it is stored.
 *
 * The name of a parameter decides: the names in signed addresses (AWS, Google, Azure, CloudFront), and the
 * usual names of tokens and keys. A secret in the path is not found.
 */

const SIGNED = /^x-(amz|goog)-/i;
const SECRET_WORD =
  /^(sig|sign|auth|pass|pwd|sas)$|(signature|token|key|keyid|secret|password|passwd|credential|credentials|authorization|jwt)$/;

/** @returns the credential by its place, never its value; or undefined. */
export function credentialIn(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { username, password, searchParams, hash } = new URL(address);
  if (username !== '' || password !== '') return 'the user or password';
  for (const [name, value] of [...searchParams, ...new URLSearchParams(hash.slice(1))]) {
    if (isSecretName(name)) return `the parameter ${name}`;
    // An address within the address: the endpoint of a bucket.
    const inner = credentialIn(value);
    if (inner !== undefined) return `${inner} in the parameter ${name}`;
  }
  return undefined;
}

function isSecretName(name: string): boolean {
  const words = name
    .replaceAll(/([a-z])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return SIGNED.test(name) || words.some((word) => SECRET_WORD.test(word));
}

/** The refusal of an address with a credential. It shows the address without its parameters. */
export function credentialRefusal(address: string): string | undefined {
  const credential = credentialIn(address);
  if (credential === undefined) return undefined;
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname}: ${credential} is a credential, and a job shows its addresses. Put the token into a variable of the workers, and name it with --token-env (tokenEnv); for a bucket write s3:// or gs://, with the credentials in the environment of the workers.`;
}
