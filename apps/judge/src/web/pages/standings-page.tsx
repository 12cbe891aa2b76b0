/** The standings: the solved problems and points of each user. */
import { linkTo, useFresh, useStore } from '@skein/ui';
import type { ComponentChildren } from 'preact';
import { points } from '../format.ts';
import { get, me, type Standings } from '../judge-api.ts';
import { Loading, Titled } from '../parts.tsx';

const LOOK_AGAIN_MS = 15_000;

export function StandingsPage() {
  const { value, error } = useFresh({ everyMs: LOOK_AGAIN_MS }, () => get('getStandings'));
  return (
    <Titled title="Standings">
      <h1>Standings</h1>
      <Loading value={value} error={error}>
        {(standings) => <Boards of={standings} />}
      </Loading>
    </Titled>
  );
}

function Boards({ of: { problems, passFail, scores } }: { readonly of: Standings }) {
  if (passFail.length + scores.length === 0) {
    return <p class="panel empty">Nothing was handed in yet.</p>;
  }
  const scored = problems.filter(({ scoring }) => scoring);
  const others = problems.filter(({ scoring }) => !scoring);
  return (
    <div class="boards">
      {passFail.length === 0 ? null : (
        <Board
          title="Solved"
          problems={others}
          totals={['Solved', 'Penalty']}
          rows={passFail.map(({ rank, user, solved, penalty, cells }) => ({
            rank,
            user,
            totals: [String(solved), String(penalty)],
            cells: cells.map((cell) => <PassFailCell {...cell} />),
          }))}
        />
      )}
      {scores.length === 0 ? null : (
        <Board
          title="Points"
          problems={scored}
          totals={['Points']}
          rows={scores.map(({ rank, user, score, cells }) => ({
            rank,
            user,
            totals: [points(score)],
            cells: cells.map((cell) => <ScoreCell {...cell} />),
          }))}
        />
      )}
    </div>
  );
}

interface BoardRow {
  readonly rank: number;
  readonly user: string;
  readonly totals: readonly string[];
  readonly cells: readonly ComponentChildren[];
}

function Board({
  title,
  problems,
  totals,
  rows,
}: {
  readonly title: string;
  readonly problems: Standings['problems'];
  readonly totals: readonly string[];
  readonly rows: readonly BoardRow[];
}) {
  const user = useStore(me);
  return (
    <section>
      <h2>{title}</h2>
      <div class="panel scroll">
        <table class="standings">
          <thead>
            <tr>
              <th scope="col" class="rank">
                Rank
              </th>
              <th scope="col">User</th>
              {totals.map((name) => (
                <th scope="col" class="total">
                  {name}
                </th>
              ))}
              {problems.map(({ id, name }) => (
                <th scope="col" class="cell">
                  <a href={linkTo('problems', [id])} title={name}>
                    {id}
                  </a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.user} class={row.user === user?.name ? 'me' : undefined}>
                <td class="rank">{row.rank}</td>
                <th scope="row">{row.user}</th>
                {row.totals.map((total) => (
                  <td class="total">
                    <strong>{total}</strong>
                  </td>
                ))}
                {row.cells}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

type PassFail = Standings['passFail'][number]['cells'][number];
type Score = Standings['scores'][number]['cells'][number];

const Pending = (
  <td class="cell" data-verdict="pending">
    <strong>?</strong>
  </td>
);

function PassFailCell({ solved, rejected, pending, minutes, first }: PassFail) {
  if (solved) {
    return (
      <td class="cell" data-verdict="AC" title={first ? 'the first to solve it' : undefined}>
        <strong>{`${first ? '★ +' : '+'}${rejected === 0 ? '' : rejected}`}</strong>
        <small>{`${minutes} min`}</small>
      </td>
    );
  }
  if (pending > 0) return Pending;
  if (rejected === 0) return <td class="cell" />;
  return (
    <td class="cell" data-verdict="WA">
      <strong>{`−${rejected}`}</strong>
    </td>
  );
}

function ScoreCell({ score, submissions, pending }: Score) {
  if (score === undefined) return pending > 0 ? Pending : <td class="cell" />;
  return (
    <td class="cell" data-verdict={score > 0 ? 'AC' : 'WA'}>
      <strong>{points(score)}</strong>
      <small>{submissions === 1 ? '1 try' : `${submissions} tries`}</small>
    </td>
  );
}
