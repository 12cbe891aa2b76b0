/** The limits that a driver enforces on this host, as the API shows them. */
import type { SandboxView } from '@skein/api';
import type { SandboxDriver } from './contract.ts';

export async function sandboxView(driver: SandboxDriver): Promise<SandboxView> {
  const found = await driver.availability();
  const { name } = driver;
  if (!found.available) {
    const { reason, fix } = found;
    return { name, available: false, reason, fix, untrusted: false, limits: {} };
  }
  const { version, enforcement } = found;
  return {
    name,
    available: true,
    version,
    untrusted: enforcement.untrusted,
    accounting: enforcement.accounting,
    limits: { ...enforcement.limits },
    network: enforcement.network,
  };
}
