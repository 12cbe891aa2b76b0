/** The counts of a federation: how its model does on the rows of all sites, of each site and of each group. */
import type { FederationStatistics, FederationView } from '@skein/api';
import { Chart, type ChartLine, ChartNumbers, metric, Table, useFresh, type Of } from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import './statistics.css';
import { cellsOf, reliabilityLines, rowsText, SCORED, scoredCells } from './statistics-cells.ts';

type TableReport = FederationStatistics['report'][number];
type ScoredPart = TableReport['scored'][number];
type Column = TableReport['columns'][number];

/** A released sum does not change. */
const EVERY_MS = 600_000;

export function Statistics({ of }: Of<FederationView>) {
  const { value, error } = useFresh({ everyMs: EVERY_MS, identity: of.id }, (signal) =>
    node().getStatistics({ id: of.id }, { signal }),
  );
  const names = new Map(of.sites.map(({ pseudonym, name }) => [pseudonym, name]));
  const nameOf = (part: string): string => names.get(part) ?? part;
  return (
    <section id="statistics">
      <Refusal error={error} />
      {value?.report.map((table, at) => (
        <section key={at}>
          <h3>{`Counts of ${table.axes.join(' × ')}`}</h3>
          <p class="muted">
            {`Each count has noise of ±${metric(value.tables[at]!.pooled.deviation)} over all sites. Parts with fewer than 10 rows are left out.`}
          </p>
          <Scored of={table.scored} nameOf={nameOf} />
          {table.columns.map((column) => (
            <Values key={column.name} of={column} nameOf={nameOf} />
          ))}
        </section>
      ))}
    </section>
  );
}

interface Named {
  readonly nameOf: (part: string) => string;
}

function Scored({ of: parts, nameOf }: Of<readonly ScoredPart[]> & Named) {
  const [all] = parts;
  if (all === undefined) return null;
  const lines = all.calibration === undefined ? [] : reliabilityLines(all.calibration);
  return (
    <>
      {lines.length === 0 ? null : <Reliability lines={lines} rows={all.rows} />}
      <Table titles={SCORED}>
        <tbody>
          {parts.map((part) => (
            <tr key={part.name}>
              <th scope="row">{nameOf(part.name)}</th>
              {scoredCells(part).map((cell, at) => (
                <td key={at}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </Table>
      <p class="muted">
        ± is one standard deviation, by noise and by the number of rows. Decisions are at a
        probability of 0.5. A set of 90 % holds a class whose 1 − p is at most the number given;
        where none is given it holds both classes.
      </p>
    </>
  );
}

function Reliability({
  lines,
  rows,
}: {
  readonly lines: readonly ChartLine[];
  readonly rows: number | null;
}) {
  return (
    <figure class="panel curve">
      <figcaption>
        <strong>Reliability over all sites</strong>
        <span class="legend">
          {lines.map(({ label, dashed }, index) => (
            <span data-run={index} data-dashed={dashed}>
              <i aria-hidden="true" />
              {label}
            </span>
          ))}
        </span>
      </figcaption>
      <Chart
        lines={lines}
        label={`Observed over predicted probability of ${rowsText(rows)} rows`}
        xRange={[0, 1]}
        height={220}
        size="large"
      />
      <ChartNumbers lines={lines} xTitle="predicted" />
    </figure>
  );
}

function Values({ of: { name, parts }, nameOf }: Of<Column> & Named) {
  const { titles, rows } = cellsOf(parts);
  return (
    <>
      <h4>{name}</h4>
      <Table titles={titles}>
        <tbody>
          {parts.map((part, at) => (
            <tr key={part.name}>
              <th scope="row">{nameOf(part.name)}</th>
              {rows[at]!.map((cell, place) => (
                <td key={place}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}
