/** The run that made each served version, and the version of a data set that the run had. */
import type { DeploymentView } from '@skein/api';
import { linkTo, useFresh } from '@skein/ui';
import { node } from '../node.ts';

export function Origins({ view: { name, targets } }: { readonly view: DeploymentView }) {
  const served = targets.map(({ version }) => version);
  const { value } = useFresh(
    { everyMs: 60_000, identity: `${name} ${served.join(' ')}` },
    (signal) => node().listVersions({ name }, { signal }),
  );
  const made = (value?.versions ?? []).filter(
    ({ version, metadata }) => served.includes(version) && metadata['run'] !== undefined,
  );
  if (made.length === 0) return null;
  return (
    <>
      <dt>Made by</dt>
      <dd>
        {made.map(({ version, metadata: { run = '', dataSet } }) => (
          <span class="origin">
            {`v${version}: `}
            <a href={linkTo('runs', [run])}>{run}</a>
            {dataSet === undefined ? null : (
              <>
                {' on '}
                <a href={linkTo('data', dataSet.split('@'))}>{dataSet}</a>
              </>
            )}
          </span>
        ))}
      </dd>
    </>
  );
}
