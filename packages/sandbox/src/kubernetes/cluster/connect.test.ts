/** The errors for operators whose settings or credentials lead to no cluster. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { createKubernetes } from '../kubernetes.ts';

afterEach(() => vi.unstubAllEnvs());

test.each([
  ['no kubeconfig', undefined, undefined, /^There is no kubeconfig, in KUBECONFIG or/],
  [
    'one without a current context',
    '{}',
    undefined,
    /no current context; SKEIN_KUBERNETES_CONTEXT/,
  ],
  ['another context', '{}', 'other', /has no context "other"/],
])('%s', async (_what, kubeconfig, context, reason) => {
  const home = testFolder();
  vi.stubEnv('HOME', home);
  vi.stubEnv('KUBECONFIG', kubeconfig === undefined ? '' : join(home, 'config'));
  if (kubeconfig !== undefined) writeFileSync(join(home, 'config'), kubeconfig);
  const driver = createKubernetes({ namespace: 'jobs', context });
  expect(await driver.availability()).toMatchObject({
    available: false,
    reason: expect.stringMatching(reason),
    fix: expect.stringContaining('docs/guide/kubernetes-jobs.md'),
  });
  await driver.close();
});
