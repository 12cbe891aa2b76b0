/** The versions of data sets, newest first. */
import type { DataVersion } from '@skein/api';
import { bytes, Empty, Heading, linkTo, Moment, Table, useFresh } from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import type { ViewProps } from '../view.ts';
import { nameOf } from './lineage.ts';

const TITLES = ['Version', 'Rows', 'Files', 'Size', 'Format', 'Made of', 'Added'];
const ADD = 'skein data add heart heart.csv';

/** The origin of a version in one line. */
export function originOf({ from }: Pick<DataVersion, 'from'>): string {
  return [...(from.versions ?? []).map(nameOf), ...(from.files ?? [])].join(', ');
}

export function DataSets({ route: { parts }, focus }: ViewProps) {
  const [name] = parts;
  const { value, error } = useFresh({ everyMs: 10_000, identity: name ?? '' }, (signal) =>
    node().listData(name === undefined ? {} : { name }, { signal }),
  );
  const versions = value?.versions ?? [];
  return (
    <section>
      {name === undefined ? null : (
        <p class="back">
          <a href={linkTo('data')}>All data sets</a>
        </p>
      )}
      <div class="head">
        <Heading focus={focus}>{name ?? 'Data sets'}</Heading>
      </div>
      <Refusal error={error} />
      {versions.length === 0 ? null : (
        <Table titles={TITLES}>
          <tbody>
            {versions.map((version) => (
              <Row key={nameOf(version)} of={version} />
            ))}
          </tbody>
        </Table>
      )}
      {value?.versions.length === 0 ? (
        <Empty command={ADD}>
          {name === undefined ? 'No data set has been added yet.' : 'It has no versions.'}
        </Empty>
      ) : null}
    </section>
  );
}

function Row({ of }: { readonly of: DataVersion }) {
  return (
    <tr data-id={nameOf(of)}>
      <th scope="row">
        <a href={linkTo('data', [of.name, of.version])}>{nameOf(of)}</a>
        {of.note === '' ? null : <small class="id">{of.note}</small>}
      </th>
      <td>{of.rows.toLocaleString('en')}</td>
      <td>{`${of.files.toLocaleString('en')}${of.inPlace ? ', in place' : ''}`}</td>
      <td>{bytes(of.sizeBytes)}</td>
      <td>{of.format}</td>
      <td>{originOf(of) || '–'}</td>
      <td>
        <Moment at={of.createdAt} />
      </td>
    </tr>
  );
}
