/** TLS credentials for the gRPC library, with a certificate that may change while the server runs. */
import { ServerCredentials } from '@grpc/grpc-js';
import { type Certificates, tlsOptions } from '@skein/http';

/** For `bindAsync`: passes each new context to the server. */
export class SecureGrpcCredentials extends ServerCredentials {
  constructor(certificates: Certificates) {
    super(tlsOptions(certificates), certificates.current.context);
    certificates.onChange((context) => this.updateSecureContextOptions(context));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}
