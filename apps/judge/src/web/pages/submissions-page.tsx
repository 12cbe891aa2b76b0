/** The submissions: a user's own, or for admins all; and one submission with its source. */
import { SkeinError } from '@skein/api/errors';
import { linkTo, Moment, useFresh, useStore } from '@skein/ui';
import { useState } from 'preact/hooks';
import { languageName } from '../../languages/languages.ts';
import { memory, time, verdictText } from '../format.ts';
import { get, me, rejudgeAll, type Me, type SubmissionRow } from '../judge-api.ts';
import { Judging } from '../submission/judging.tsx';
import { Loading, Titled } from '../parts.tsx';
import { askForKey } from '../sign-in.tsx';

/**
 * Refresh intervals in milliseconds, while a submission of the list is being judged, and otherwise.
 */
const LIVE_MS = 3000;
const LOOK_AGAIN_MS = 60_000;
const PAGE = 50;
const MOST = 500;

const COLUMNS = ['No.', 'Problem', 'User', 'Verdict', 'Language', 'Cpu', 'Memory', 'When'] as const;
const NUMBERS = new Set<string>(['Cpu', 'Memory']);

/** @param problem shows only submissions to it. */
export function SubmissionsPage({ problem }: { readonly problem: string | undefined }) {
  const user = useStore(me);
  return user === undefined ? <SignInFirst /> : <List user={user} problem={problem} />;
}

function List({ user, problem }: { readonly user: Me; readonly problem: string | undefined }) {
  const [limit, setLimit] = useState(PAGE);
  const [isLive, setIsLive] = useState(false);
  const { value, error, poke } = useFresh(
    { everyMs: isLive ? LIVE_MS : LOOK_AGAIN_MS, identity: `${problem} ${limit}` },
    async () => {
      const query = new URLSearchParams({ limit: String(limit) });
      if (problem !== undefined) query.set('problem', problem);
      const answer = await get('listSubmissions', query);
      setIsLive(answer.submissions.some(({ state }) => state !== 'judged'));
      return answer;
    },
  );
  const columns = COLUMNS.filter((name) => name !== 'User' || user.admin);
  return (
    <Titled title="Submissions">
      <h1>{user.admin ? 'Submissions' : 'Your submissions'}</h1>
      {problem === undefined ? null : (
        <Filtered problem={problem} user={user} changed={() => poke(true)} />
      )}
      <Loading value={value} error={error}>
        {({ submissions, next }) => (
          <>
            {submissions.length === 0 ? (
              <p class="panel empty">Nothing was handed in yet.</p>
            ) : (
              <div class="panel scroll">
                <table class="submissions">
                  <thead>
                    <tr>
                      {columns.map((name) => (
                        <th scope="col" class={NUMBERS.has(name) ? 'number' : undefined}>
                          {name}
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {submissions.map((row) => (
                      <Row key={row.id} row={row} viewer={user} />
                    ))}
                  </tbody>
                </table>
              </div>
            )}
            <p class="buttons">
              <button
                type="button"
                class="quiet"
                hidden={next === undefined || limit === MOST}
                onClick={() => setLimit(Math.min(limit + PAGE, MOST))}
              >
                Older
              </button>
            </p>
          </>
        )}
      </Loading>
    </Titled>
  );
}

function Filtered({
  problem,
  user,
  changed,
}: {
  readonly problem: string;
  readonly user: Me;
  readonly changed: () => void;
}) {
  const [message, setMessage] = useState('');
  async function again(): Promise<void> {
    try {
      const { submissions, skipped } = await rejudgeAll(problem);
      const are = (count: number): string => (count === 1 ? '1 is' : `${count} are`);
      const already = skipped === 0 ? '' : `, ${are(skipped)} being judged already`;
      setMessage(`${are(submissions.length)} judged again${already}.`);
      changed();
    } catch (error) {
      setMessage(error instanceof SkeinError ? error.message : String(error));
    }
  }
  return (
    <p class="bar">
      <span>
        To <strong>{problem}</strong>. <a href={linkTo('submissions')}>All</a>
      </span>
      <span role="status">{message}</span>
      {user.admin ? (
        <button type="button" class="quiet" onClick={() => void again()}>
          Judge all again
        </button>
      ) : null}
    </p>
  );
}

function Row({ row, viewer }: { readonly row: SubmissionRow; readonly viewer: Me }) {
  const { id, problem, user, language, cpuMs, memoryBytes, submittedAt, verdict } = row;
  return (
    <tr>
      <td>
        <a href={linkTo('submissions', [String(id)])}>{id}</a>
      </td>
      <td>
        <a href={linkTo('problems', [problem])}>{problem}</a>{' '}
        <a
          class="only muted"
          href={linkTo('submissions', [], { problem })}
          aria-label={`Only those to ${problem}`}
        >
          only
        </a>
      </td>
      {viewer.admin ? <td>{user}</td> : null}
      <td>
        <span class="chip" data-verdict={verdict}>
          {verdictText(row)}
        </span>
      </td>
      <td>{language === undefined ? '' : languageName(language)}</td>
      <td class="number">{memoryBytes ? time(cpuMs) : ''}</td>
      <td class="number">{memory(memoryBytes)}</td>
      <td class="muted">
        <Moment at={submittedAt} />
      </td>
    </tr>
  );
}

export function SubmissionPage({ id }: { readonly id: string }) {
  const user = useStore(me);
  return user === undefined ? <SignInFirst /> : <One id={id} />;
}

function One({ id }: { readonly id: string }) {
  const { value, error } = useFresh({ everyMs: 3_600_000, identity: id }, () =>
    Promise.all([get('getSubmission', id), get('getSource', id)]),
  );
  return (
    <Titled title={`Submission ${id}`}>
      <h1>{`Submission ${id}`}</h1>
      <Loading value={value} error={error}>
        {([submission, { files }]) => (
          <>
            <Judging first={submission} />
            {files.map(({ path, content }) => (
              <figure class="source" key={path}>
                <figcaption>{path}</figcaption>
                <pre tabIndex={0}>{content ?? '(not text)'}</pre>
              </figure>
            ))}
          </>
        )}
      </Loading>
    </Titled>
  );
}

function SignInFirst() {
  return (
    <Titled title="Submissions">
      <h1>Submissions</h1>
      <p class="panel empty">
        {'Programs are shown to their authors. '}
        <button type="button" class="link" onClick={() => askForKey()}>
          Sign in
        </button>
      </p>
    </Titled>
  );
}
