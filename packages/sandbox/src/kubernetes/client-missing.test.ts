import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('the client of a cluster is named where it is missing, and not needed for anything else', () => {
  const code = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === '@kubernetes/client-node') {
          throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
        }
        return next(specifier, context);
      },
    });
    const { openDriver } = await import('${import.meta.dirname}/../index.ts');
    const driver = await openDriver('kubernetes');
    const { available, reason, fix } = await driver.availability();
    console.log(available, reason, fix);`;
  const env = { ...process.env, SKEIN_KUBERNETES_NAMESPACE: 'jobs' };
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    env,
  });
  expect(output).toMatch(/^false .*@kubernetes\/client-node.*npm install/);
});
