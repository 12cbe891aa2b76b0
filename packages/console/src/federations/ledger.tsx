/** The ledger of a federation: what happened, and the file that a participant verifies. */
import {
  ActionButton,
  clock,
  commands,
  Heading,
  linkTo,
  metric,
  Moment,
  Table,
  words,
} from '@skein/ui';
import type { FederationLedger } from '@skein/api';
import { canonical } from '@skein/api/canonical';
import { useState } from 'preact/hooks';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { saveAs } from '../save.ts';
import type { Entry } from './rounds.ts';
import { useFederation } from './use-federation.ts';
import './ledger.css';
import type { ViewProps } from '../view.ts';

/** Newest entries that are shown; the file has all of them. */
const ENTRIES = 200;

export function Ledger({ route: { parts }, focus }: ViewProps) {
  const id = parts[0] ?? '';
  const { value, error } = useFederation(id);
  const [failure, setFailure] = useState<unknown>(undefined);
  const file = `${id}.ledger.json`;
  return (
    <section>
      <p class="back">
        <a href={linkTo('federations', [id])}>{value?.view.name ?? 'The federation'}</a>
      </p>
      <div class="head">
        <Heading focus={focus}>Ledger</Heading>
        <span class="actions">
          <ActionButton
            action={async () => {
              saveAs(file, fileOf(await node().getLedger({ id })));
              setFailure(undefined);
            }}
            failed={setFailure}
          >
            Download
          </ActionButton>
        </span>
      </div>
      <Refusal error={failure ?? error} />
      <p class="muted">
        Each entry holds the hash of the one before it and is signed by the coordinator; sites sign
        entries too. The file can be checked without this node:{' '}
        <code>{commands(`skein ledger verify ${file}`)}</code>
      </p>
      {value === undefined ? null : <Entries of={value.ledger.entries} />}
    </section>
  );
}

/** In the form that is signed and verified. */
function fileOf(ledger: FederationLedger): Blob {
  return new Blob([`${canonical(ledger)}\n`], { type: 'application/json' });
}

function Entries({ of: entries }: { readonly of: readonly Entry[] }) {
  return (
    <>
      <Table titles={['', 'At', 'Event', 'What', 'Signed by sites', 'Hash']}>
        <tbody>
          {entries
            .slice(-ENTRIES)
            .toReversed()
            .map(({ sequence, at, event, hash, ...entry }) => (
              <tr key={sequence}>
                <th scope="row">{sequence}</th>
                <td>
                  <Moment at={at}>{clock(at)}</Moment>
                </td>
                <td>{words(event.kind)}</td>
                <td class="what">{textOf(event)}</td>
                <td>{(entry['witnesses'] as readonly unknown[]).length || '–'}</td>
                <td>
                  <code title={hash}>{`${hash.slice(0, 12)}…`}</code>
                </td>
              </tr>
            ))}
        </tbody>
      </Table>
      {entries.length > ENTRIES ? (
        <p class="muted">{`The newest ${ENTRIES} of ${entries.length}.`}</p>
      ) : null}
    </>
  );
}

/** The text of a field; keys, digests and signatures are in the file. */
const SHOWN: Readonly<Record<string, (value: never) => string>> = {
  round: (value: number) => `round ${value + 1}`,
  attempt: (value: number) => (value === 0 ? '' : `attempt ${value + 1}`),
  phase: (value: string) => `phase ${value}`,
  by: (value: string) => `reported by ${value}`,
  sites: (value: number | readonly string[]) =>
    typeof value === 'number' ? `${value} sites` : value.join(' and '),
  site: (value: string) => value,
  roster: (value: readonly string[]) => `${value.length} sites are asked`,
  survivors: (value: readonly string[]) => `the sum of ${value.length} sites`,
  releases: (value: number) => `${value} sums may be known`,
  noise: (value: number) => `noise ${metric(value)}`,
  spent: (value: readonly { readonly epsilon: number | null }[]) =>
    value.map(({ epsilon }) => `ε ${epsilon?.toFixed(4) ?? 'without bound'}`).join(' and '),
  status: (value: string) => value,
  code: (value: string) => value,
  reason: (value: string) => value,
};

function textOf(event: Readonly<Record<string, unknown>>): string {
  return Object.entries(SHOWN)
    .map(([name, show]) => (Object.hasOwn(event, name) ? show(event[name] as never) : ''))
    .filter((text) => text !== '')
    .join(', ');
}
