/** Both faces behind one certificate, whose files a test may replace; closed after the test. */
import { Client, credentials } from '@grpc/grpc-js';
import { once } from 'node:events';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { createExposition } from '@skein/http';
import { call } from '../../../testing/grpc-client.ts';
import { GRPCInferenceService } from '../../oip/grpc/proto/inference.gen.ts';
import { startGrpcFace } from '../../testing/grpc-face.ts';
import { startHttpFace } from '../../testing/http-face.ts';
import { openCertificates } from '../../../../../http/src/tls/certificates.ts';
import {
  createAuthority,
  install,
  temporaryFolder,
  type Issued,
} from '../../../../../http/src/tls/testing/authority.ts';

export interface Visit {
  /** The certificate that answered. */
  readonly serial: string;
  readonly body: string;
}

export async function startSecureFaces({ mutual = false } = {}) {
  const folder = temporaryFolder();
  const authority = createAuthority(folder, 'ca');
  const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  install(authority.issue('first'), files);
  const clientAuthorities = mutual ? { clientAuthorities: join(folder, 'clients.pem') } : {};
  if (mutual) install(authority, { ...files, certificate: join(folder, 'clients.pem') });
  if (mutual) install(authority.issue('again'), files);
  const warnings: string[] = [];
  const certificates = await openCertificates(
    { ...files, ...clientAuthorities },
    { warn: (details, message) => warnings.push(`${message} ${JSON.stringify(details)}`) },
  );
  onTestFinished(() => certificates.close());
  const http = await startHttpFace({ certificates });
  const grpc = await startGrpcFace({ certificates });
  const trust = { ca: authority.pem };

  /** One request on its own connection, unless `agent` is given. */
  async function get(options: RequestOptions = {}): Promise<Visit> {
    const outgoing = httpsRequest({
      ...trust,
      host: '127.0.0.1',
      port: http.port,
      path: '/v2/health/live',
      agent: false,
      ...options,
    });
    outgoing.end();
    const [response] = await once(outgoing, 'response');
    const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
    return { serial: serialNumber, body: await text(response) };
  }

  /** One call on its own channel. */
  async function live(own?: { readonly cert: Buffer; readonly key: Buffer }): Promise<boolean> {
    const secrets = credentials.createSsl(authority.pem, own?.key ?? null, own?.cert ?? null);
    const client = new Client(`127.0.0.1:${grpc.port}`, secrets, {
      'grpc.use_local_subchannel_pool': 1,
    });
    try {
      const deadline = new Date(Date.now() + 10_000);
      return (await call(client, GRPCInferenceService.method.serverLive, {}, {}, deadline)).live;
    } finally {
      client.close();
    }
  }

  /** A handshake with a face; rejects if it fails, or if the server closes right after it. */
  async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ ...trust, host: '127.0.0.1', port, ...options });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  }

  function metric(name: string): number {
    const page = createExposition();
    certificates.expose(page);
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(page.text())?.[1]);
  }

  return {
    folder,
    authority,
    files,
    warnings,
    certificates,
    http,
    grpc,
    get,
    live,
    handshake,
    metric,
    replace: (from: Issued) => install(from, files),
  };
}
