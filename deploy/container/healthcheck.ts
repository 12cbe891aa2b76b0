/**
 * Whether the node in this container accepts requests, or answers another path of health that is given as
 * the argument. It is asked where it has noted that it answers: by the
 * certificate that it has noted when it speaks TLS, and with SKEIN_CERT and SKEIN_CERT_KEY when it asks
 * for one.
 */
import { connect } from '../../packages/cli/src/connection.ts';

const here = { cwd: process.cwd(), env: process.env };
const none = undefined;
const choice = { server: none, key: none, data: none, ca: none, cert: none, certKey: none };
const { url, fetch } = await connect(here, choice);
const [path = '/v2/health/accepting'] = process.argv.slice(2);
const { ok } = await fetch(url + path);
process.exit(ok ? 0 : 1);
