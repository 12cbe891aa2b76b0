/** The list of problems. */
import { linkTo, useFresh } from '@skein/ui';
import { memory, points, time } from '../format.ts';
import { get, type Judge, type ProblemRow } from '../judge-api.ts';
import { Loading, Titled } from '../parts.tsx';

const LOOK_AGAIN_MS = 60_000;

export function ProblemsPage() {
  const { value, error } = useFresh({ everyMs: LOOK_AGAIN_MS }, () =>
    Promise.all([get('listProblems'), get('getJudge')]),
  );
  return (
    <Titled title="Problems">
      <h1>Problems</h1>
      <Loading value={value} error={error}>
        {([{ problems }, { brokenPackages }]) => (
          <>
            {problems.length === 0 ? (
              <p class="panel empty">There are no problems yet.</p>
            ) : (
              <ul class="problems">
                {problems.map((problem) => (
                  <Row key={problem.id} {...problem} />
                ))}
              </ul>
            )}
            <BrokenPackages of={brokenPackages} />
          </>
        )}
      </Loading>
    </Titled>
  );
}

function Row({ id, name, types, timeMs, memoryBytes, mine }: ProblemRow) {
  return (
    <li class="panel">
      <a href={linkTo('problems', [id])}>
        <strong>{name}</strong>
        <code class="muted">{id}</code>
      </a>
      <span class="tags">
        {types.map((type) => (
          <span class="tag">{type}</span>
        ))}
      </span>
      <span class="limits muted">
        {timeMs === undefined ? '' : `${time(timeMs)} · `}
        {memory(memoryBytes)}
      </span>
      <Mark mine={mine} />
    </li>
  );
}

function Mark({ mine }: Pick<ProblemRow, 'mine'>) {
  if (mine === undefined || mine.submissions === 0) return <span class="mark" />;
  if (mine.pending) return <span class="mark chip">judging …</span>;
  if (mine.score !== undefined) {
    return (
      <span class="mark chip" data-verdict={mine.accepted ? 'AC' : 'TLE'}>
        {`${points(mine.score)} points`}
      </span>
    );
  }
  return (
    <span class="mark chip" data-verdict={mine.accepted ? 'AC' : 'WA'}>
      {mine.accepted ? 'solved' : `${mine.submissions} tried`}
    </span>
  );
}

function BrokenPackages({ of = [] }: { readonly of: Judge['brokenPackages'] }) {
  if (of.length === 0) return null;
  return (
    <section class="panel broken">
      <h2>Packages that were left out</h2>
      <ul>
        {of.map(({ name, reason }) => (
          <li key={name}>
            <code>{name}</code> {reason}
          </li>
        ))}
      </ul>
    </section>
  );
}
