/** One version of a data set: its lineage as a picture, its schema and its files. */
import type { DataVersionDetail } from '@skein/api';
import { ago, bytes, clock, Facts, Heading, linkTo, Table, useFresh, type Of } from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { Picture } from '../picture.tsx';
import type { ViewProps } from '../view.ts';
import { originOf } from './data.tsx';
import { lineageOf, nameOf } from './lineage.ts';

/** Rows of a table; the command line lists all. */
const SHOWN = 200;

export function DataVersionPage({ route: { parts }, focus }: ViewProps) {
  const [name = '', version = ''] = parts;
  const { value, error } = useFresh({ everyMs: 10_000, identity: parts.join('@') }, (signal) =>
    node().getDataVersion({ name, version }, { signal }),
  );
  return (
    <section>
      <p class="back">
        <a href={linkTo('data')}>All data sets</a>
        {' · '}
        <a href={linkTo('data', [name])}>{`Versions of ${name}`}</a>
      </p>
      <div class="head">
        <Heading focus={focus}>{nameOf({ name, version })}</Heading>
      </div>
      <Refusal error={error} />
      {value === undefined ? null : <About of={value} />}
    </section>
  );
}

function About({ of }: Of<DataVersionDetail>) {
  const { contents, from } = of;
  const nodes = lineageOf(of);
  return (
    <div>
      {of.note === '' ? null : <p class="why">{of.note}</p>}
      <Picture nodes={nodes} label={`Lineage of ${nameOf(of)}`} />
      <article class="panel card">
        <Facts
          of={[
            ['Rows', of.rows.toLocaleString('en')],
            ['Files', `${of.files.toLocaleString('en')}, ${bytes(of.sizeBytes)}, ${of.format}`],
            ['Where', of.inPlace ? 'read where they lie' : 'stored as artifacts'],
            ['Manifest', <code>{of.manifest}</code>],
            ['Added', `${clock(of.createdAt)}, ${ago(of.createdAt)}, by ${of.by}`],
            ['Made of', originOf(of)],
            ['Statement', from.statement === undefined ? undefined : <code>{from.statement}</code>],
          ]}
        />
      </article>
      <section>
        <h3>{`${contents.columns.length} columns`}</h3>
        <Table titles={['Column', 'Type']}>
          <tbody>
            {contents.columns.slice(0, SHOWN).map((column) => (
              <tr>
                <th scope="row">{column.name}</th>
                <td>
                  <code>{column.type}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      </section>
      <section>
        <h3>Files</h3>
        <Table titles={['Content', 'Size', 'Path']}>
          <tbody>
            {contents.files.slice(0, SHOWN).map(({ digest, sizeBytes, path }) => (
              <tr>
                <th scope="row">
                  <code title={digest}>{`${digest.slice(0, 12)}…`}</code>
                </th>
                <td>{bytes(sizeBytes)}</td>
                <td>{path ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </Table>
        {contents.files.length > SHOWN ? (
          <p class="muted">{`The first ${SHOWN} of ${contents.files.length}.`}</p>
        ) : null}
      </section>
    </div>
  );
}
