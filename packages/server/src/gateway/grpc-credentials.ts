/** TLS for the library of gRPC, with a certificate that may change while the server runs. */
import { ServerCredentials } from '@grpc/grpc-js';
import { type Certificates, tlsOptions } from '@skein/http';

/** For `bindAsync` of gRPC's library, which gives each new context to its server. */
export class SecureGrpcCredentials extends ServerCredentials {
  constructor(certificates: Certificates) {
    super(tlsOptions(certificates), certificates.current.context);
    certificates.onChange((context) => this.updateSecureContextOptions(context));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}
