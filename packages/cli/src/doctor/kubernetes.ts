/** The cluster that a worker here may run jobs in, when a namespace of it is named: tried as the worker tries it. */
import { describeSandboxes, openDriver } from '@skein/sandbox';
import { broken, missing, ok, type Check } from './check.ts';

const NAME = 'Kubernetes';

export const checkKubernetes: Check = async ({ env }) => {
  const isNamed = Boolean(env['SKEIN_KUBERNETES_NAMESPACE']);
  const driver = await openDriver('kubernetes');
  try {
    const [found] = await describeSandboxes([driver]);
    if (found === undefined) throw new Error('no driver was described');
    if (found.available) return ok(NAME, false, found.summary);
    const { what = found.summary, fix = '' } = found.missing[0] ?? {};
    return isNamed ? broken(NAME, false, what, fix) : missing(NAME, what, fix);
  } finally {
    await driver.close();
  }
};
