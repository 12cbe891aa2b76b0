/** The sandboxes of this machine that can run untrusted work here, found by testing what each enforces. */
import { SANDBOX_NAMES, SANDBOXES } from '@skein/api/implementations';
import { describeSandboxes, openDrivers } from '@skein/sandbox';
import { missing, ok, type Check } from './check.ts';

export const checkSandboxes: Check = async () => {
  const drivers = await openDrivers(
    {},
    SANDBOX_NAMES.filter((name) => !SANDBOXES[name].remote),
  );
  try {
    const found = await describeSandboxes(drivers);
    const fit = found.filter(({ untrusted }) => untrusted);
    if (fit.length > 0) {
      const list = fit.map(({ name, summary }) => `${name}: ${summary}`).join('; ');
      return ok('Sandboxes', false, list);
    }
    const lacks = found
      .filter(({ name }) => SANDBOXES[name].isolates)
      .flatMap(({ name, missing: pieces }) => pieces.map((piece) => ({ name, ...piece })));
    return missing(
      'Sandboxes',
      `none here for untrusted work. ${lacks.map(({ name, what }) => `${name}: ${what}`).join('; ')}`,
      lacks[0]?.fix ?? 'sudo npm run provision',
    );
  } finally {
    await Promise.all(drivers.map((driver) => driver.close()));
  }
};
