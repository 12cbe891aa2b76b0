/** Where untrusted work can run, found by testing what each sandbox enforces: this machine, and a cluster. */
import { SANDBOX_NAMES, SANDBOXES } from '@skein/api/implementations';
import { describeSandboxes, openDriver, openDrivers } from '@skein/sandbox';
import { broken, check, missing, ok } from './check.ts';

export const checkSandboxes = check('Sandboxes', false, async () => {
  const drivers = await openDrivers(
    {},
    SANDBOX_NAMES.filter((name) => !SANDBOXES[name].remote),
  );
  try {
    const found = await describeSandboxes(drivers);
    const fit = found.filter(({ untrusted }) => untrusted);
    if (fit.length > 0) {
      const list = fit.map(({ name, summary }) => `${name}: ${summary}`).join('; ');
      return ok(list);
    }
    const lacks = found
      .filter(({ name }) => SANDBOXES[name].isolates)
      .flatMap(({ name, missing: pieces }) => pieces.map((piece) => ({ name, ...piece })));
    return missing(
      `none here for untrusted work. ${lacks.map(({ name, what }) => `${name}: ${what}`).join('; ')}`,
      lacks[0]?.fix ?? 'sudo npm run provision',
    );
  } finally {
    await Promise.all(drivers.map((driver) => driver.close()));
  }
});

/** The cluster that a worker here may run jobs in, when a namespace of it is named. */
export const checkKubernetes = check('Kubernetes', false, async ({ env }) => {
  const isNamed = Boolean(env['SKEIN_KUBERNETES_NAMESPACE']);
  const driver = await openDriver('kubernetes');
  try {
    const [found] = await describeSandboxes([driver]);
    if (found === undefined) throw new Error('no driver was described');
    if (found.available) return ok(found.summary);
    const { what = found.summary, fix = '' } = found.missing[0] ?? {};
    return isNamed ? broken(what, fix) : missing(what, fix);
  } finally {
    await driver.close();
  }
});
