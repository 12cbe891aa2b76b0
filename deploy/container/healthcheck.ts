/**
 * Whether the node in this container is ready, asked where it has noted that it answers: by the
 * certificate that it has noted when it speaks TLS, and with SKEIN_CERT and SKEIN_CERT_KEY when it asks
 * for one.
 */
import { connect } from '../../packages/cli/src/connection.ts';

const here = { cwd: process.cwd(), env: process.env };
const none = undefined;
const choice = { server: none, key: none, data: none, ca: none, cert: none, certKey: none };
const { url, fetch } = await connect(here, choice);
const { ok } = await fetch(`${url}/v2/health/ready`);
process.exit(ok ? 0 : 1);
