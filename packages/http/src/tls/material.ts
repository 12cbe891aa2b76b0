/**
 * The contents of the TLS files: a certificate chain, its private key and the certificate
 * authorities of clients. They are checked before a server uses them; invalid contents are rejected
 * with the reason.
 */
import { constants, createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { SkeinError } from '@skein/api';

/** Paths of PEM files. They are read again when they change. */
export interface TlsFiles {
  /** The node's certificate first, then the intermediate certificates. */
  readonly certificate: string;
  /** Private key of the certificate, without a passphrase. */
  readonly key: string;
  /** Mutual TLS: a client must present a certificate of one of these authorities. */
  readonly clientAuthorities?: string | undefined;
}

/** Contents of the files. */
export interface TlsContents {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthorities: string | undefined;
}

/** Contents that passed every check. */
export interface TlsMaterial {
  /** Options of a secure context; complete, because a server drops options that a new context lacks. */
  readonly context: SecureContextOptions;
  /** PEM of the node's own certificate. */
  readonly certificate: string;
  /** End of validity of the first certificate in the chain to expire. */
  readonly expiresAt: Date;
}

/** Forward secrecy and authenticated encryption, which RFC 9113 asks of HTTP/2 over TLS 1.2. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** @throws SkeinError FILE_UNREADABLE. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsContents> {
  const [certificate, key, clientAuthorities] = await Promise.all(
    [files.certificate, files.key, files.clientAuthorities].map(async (path) => {
      if (path === undefined) return undefined;
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        throw new SkeinError('FILE_UNREADABLE', `The file "${path}" cannot be read (${code}).`, {
          cause: error,
        });
      }
    }),
  );
  return { certificate: certificate!, key: key!, clientAuthorities };
}

/** Identifies contents without keeping a second copy of the key. */
export function digestOf({ certificate, key, clientAuthorities = '' }: TlsContents): string {
  return createHash('sha256')
    .update([certificate, key, clientAuthorities].join('\0'))
    .digest('hex');
}

/**
 * @param now milliseconds since 1970.
 * @throws SkeinError TLS_INVALID: not PEM, expired, not valid yet, or the key belongs to another
 *   certificate.
 */
export function checkTls(contents: TlsContents, now: number): TlsMaterial {
  const chain = certificatesIn(contents.certificate, 'certificate');
  for (const certificate of chain) checkValidity(certificate, now);
  const [own] = chain;
  const key = attempt('The private key cannot be read', () => createPrivateKey(contents.key));
  if (!own!.checkPrivateKey(key)) {
    throw new SkeinError('TLS_INVALID', 'The private key does not belong to the certificate.');
  }
  const authorities =
    contents.clientAuthorities === undefined
      ? undefined
      : certificatesIn(contents.clientAuthorities, 'client CA').map(String);
  const context: SecureContextOptions = {
    cert: contents.certificate,
    key: contents.key,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    // A TLS 1.2 client could request one handshake after another on one connection.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(authorities === undefined ? {} : { ca: authorities }),
  };
  attempt('The certificate cannot be served', () => createSecureContext(context));
  return {
    context,
    certificate: String(own),
    expiresAt: new Date(Math.min(...chain.map((certificate) => Date.parse(certificate.validTo)))),
  };
}

function certificatesIn(text: string, what: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) {
    throw new SkeinError('TLS_INVALID', `The file of the ${what} holds no certificate in PEM.`);
  }
  return blocks.map((block) =>
    attempt(`The ${what} cannot be read`, () => new X509Certificate(block)),
  );
}

function checkValidity({ validFrom, validTo }: X509Certificate, now: number): void {
  if (Date.parse(validTo) <= now) {
    throw new SkeinError('TLS_INVALID', `The certificate has expired on ${validTo}.`);
  }
  if (Date.parse(validFrom) > now) {
    throw new SkeinError('TLS_INVALID', `The certificate is not valid before ${validFrom}.`);
  }
}

function attempt<T>(failure: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new SkeinError('TLS_INVALID', `${failure}: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}
