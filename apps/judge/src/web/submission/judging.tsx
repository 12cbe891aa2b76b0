/**
 * A submission while it is judged: its verdict, a grid of its tests, and the messages of each test.
 */
import { SkeinError } from '@skein/api/errors';
import { follow, linkTo, Moment, useStore } from '@skein/ui';
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { VERDICT_NAMES } from '../../judging/verdict.ts';
import { languageName } from '../../languages/languages.ts';
import { memory, points, time, verdictText } from '../format.ts';
import { me, rejudge, session, type Submission, type SubmissionRow } from '../judge-api.ts';

type Test = Submission['tests'][number];

/** Cells show their verdict's letters up to this many tests. */
const SPACIOUS = 120;
/** Number of pending tests that are shown as empty cells. */
const PENDING = 2000;

/** The state of one submission, from the judge's stream. */
type Update =
  | { readonly type: 'submission' | 'judged'; readonly data: Submission }
  | { readonly type: 'running'; readonly data: { readonly name: string; readonly total: number } }
  | { readonly type: 'test'; readonly data: { readonly test: Test; readonly total: number } };

function begun(row: SubmissionRow, earlier: Submission['earlier'] = []): Submission {
  return { tests: [], groups: [], earlier, ...row };
}

function after(view: Submission, { type, data }: Update): Submission {
  if (type === 'running')
    return { ...view, state: 'running', current: data.name, total: data.total };
  if (type === 'test') {
    return { ...view, state: 'running', total: data.total, tests: [...view.tests, data.test] };
  }
  return data;
}

/**
 * @param first its state when it was submitted or loaded; followed until its verdict.
 * @param linked links to its own page, and omits details that the program next to it shows.
 */
export function Judging({
  first,
  linked = false,
}: {
  readonly first: SubmissionRow | Submission;
  readonly linked?: boolean;
}) {
  const [view, setView] = useState(() => begun(first));
  const [chosen, setChosen] = useState<string>();
  const [isLost, setIsLost] = useState(false);
  const [failure, setFailure] = useState('');
  const fail = (error: unknown): void =>
    setFailure(error instanceof SkeinError ? error.message : String(error));

  useEffect(() => {
    if (view.state === 'judged') return undefined;
    const stop = new AbortController();
    const listener = {
      connected: () => setIsLost(false),
      event(type: string, data: unknown) {
        setView((before) => after(before, { type, data } as Update));
        if (type === 'judged') stop.abort();
      },
      lost: () => setIsLost(true),
      async refused(error: SkeinError) {
        setIsLost(false);
        fail(error);
        stop.abort();
      },
    };
    void follow(session, `/api/v1/submissions/${view.id}/events`, listener, stop.signal);
    return () => stop.abort();
  }, [view.id, view.judging]);

  async function again(): Promise<void> {
    try {
      setView(begun(await rejudge(view.id), view.earlier));
    } catch (error) {
      fail(error);
    }
  }

  return (
    <section
      class="judging panel"
      aria-label={`Submission ${view.id}`}
      data-state={view.state}
      data-verdict={view.verdict}
    >
      <Headline view={view} linked={linked} />
      <Note view={view} isLost={isLost && view.state !== 'judged'} />
      <TestProgress {...view} />
      <Grid
        view={view}
        chosen={chosen}
        choose={(name) => setChosen(name === chosen ? undefined : name)}
      />
      <Details test={view.tests.find(({ name }) => name === chosen)} />
      <Groups of={view.groups} />
      <CompileOutput {...view} />
      <Earlier of={view.earlier} />
      <Rejudge state={view.state} again={() => void again()} />
      <p class="refusal" role="alert" hidden={failure === ''}>
        {failure}
      </p>
    </section>
  );
}

function Fact({ children }: { readonly children: ComponentChildren }) {
  return <span class="fact">{children}</span>;
}

function Headline({ view, linked }: { readonly view: Submission; readonly linked: boolean }) {
  const { id, language, user, problem, submittedAt, cpuMs, memoryBytes } = view;
  const name = `Submission ${id}`;
  return (
    <div class="headline">
      <p class="verdict" role="status" data-verdict={view.verdict}>
        {view.state === 'judged' ? null : <span class="spinner" aria-hidden="true" />}
        {verdictText(view)}
      </p>
      <p class="facts muted">
        <Fact>{linked ? <a href={linkTo('submissions', [String(id)])}>{name}</a> : name}</Fact>
        {linked ? null : (
          <>
            <Fact>
              <a href={linkTo('problems', [problem])}>{problem}</a>
            </Fact>
            <Fact>{user}</Fact>
          </>
        )}
        {language === undefined ? null : <Fact>{languageName(language)}</Fact>}
        {memoryBytes ? (
          <>
            <Fact>{`${time(cpuMs)} cpu`}</Fact>
            <Fact>{memory(memoryBytes)}</Fact>
          </>
        ) : null}
        <Fact>
          <Moment at={submittedAt} />
        </Fact>
      </p>
    </div>
  );
}

function Note({ view, isLost }: { readonly view: Submission; readonly isLost: boolean }) {
  const { state, reason, note, failingTest, verdict, compileOutput } = view;
  if (isLost) return <p class="note">The connection broke; trying again …</p>;
  if (state !== 'judged') return note === undefined ? null : <p class="note">{note}</p>;
  if (verdict === 'AC' || reason === undefined || reason === '' || reason === compileOutput) {
    return null;
  }
  const isNamed = failingTest === undefined || reason.startsWith(failingTest);
  return <p class="note">{isNamed ? reason : `${failingTest}: ${reason}`}</p>;
}

const WAITS = { waiting: 'In the queue', compiling: 'Compiling', running: 'Compiled' } as const;

function TestProgress({ state, tests, total, current }: Submission) {
  if (state === 'judged') return null;
  const text =
    state === 'running' && current !== undefined
      ? `${tests.length} of ${total} tests; running ${current}`
      : WAITS[state];
  return (
    <p class="progress muted">
      <progress
        max={total ?? 1}
        value={total === undefined ? undefined : tests.length}
        aria-label="Tests"
      />
      <span>{text}</span>
    </p>
  );
}

function Grid({
  view: { tests, total = 0, state },
  chosen,
  choose,
}: {
  readonly view: Submission;
  readonly chosen: string | undefined;
  readonly choose: (name: string) => void;
}) {
  const pending = state === 'judged' ? 0 : Math.max(0, total - tests.length);
  const count = tests.length + pending;
  if (count === 0) return null;
  return (
    <ol class={count > SPACIOUS ? 'tests dense' : 'tests'} aria-label="Tests">
      {tests.map((test) => {
        const label = labelOf(test);
        return (
          <li key={test.name}>
            <button
              type="button"
              data-verdict={test.verdict}
              data-test={test.name}
              aria-expanded={chosen === test.name}
              aria-label={label}
              title={label}
              onClick={() => choose(test.name)}
            >
              {test.verdict}
            </button>
          </li>
        );
      })}
      {Array.from({ length: Math.min(pending, PENDING) }, () => (
        <li class="pending" aria-hidden="true">
          <i />
        </li>
      ))}
    </ol>
  );
}

/** Answers that were computed elsewhere used neither time nor memory here. */
function labelOf({ name, verdict, cpuMs, memoryBytes, score }: Test): string {
  return [
    `${name}: ${VERDICT_NAMES[verdict]}`,
    ...(memoryBytes ? [time(cpuMs), memory(memoryBytes)] : []),
    ...(score === undefined ? [] : [`${points(score)} points`]),
  ].join(', ');
}

function Details({ test }: { readonly test: Test | undefined }) {
  if (test === undefined) return null;
  const { name, verdict, reason, cpuMs, wallMs, memoryBytes, passes, score, feedback } = test;
  const rows = [
    ['Why', reason],
    ['Cpu time', memoryBytes ? time(cpuMs) : ''],
    ['Wall time', memoryBytes ? time(wallMs) : ''],
    ['Memory', memory(memoryBytes)],
    ['Passes', passes > 1 ? String(passes) : ''],
    ['Points', points(score)],
    ['Hint', test.hint ?? ''],
  ] as const;
  return (
    <div class="details">
      <h4>
        {`${name} `}
        <span class="chip" data-verdict={verdict}>
          {VERDICT_NAMES[verdict]}
        </span>
      </h4>
      <dl>
        {rows
          .filter(([, value]) => value !== '')
          .map(([term, value]) => (
            <>
              <dt>{term}</dt>
              <dd>{value}</dd>
            </>
          ))}
      </dl>
      <Block title="Message of the judge" text={test.teamMessage} />
      <Block title="For the judges" text={test.judgeMessage} />
      <Block title="Input" text={feedback?.input} />
      <Block title="Your output" text={feedback?.output} />
      <Block title="Expected" text={feedback?.answer} />
      <Block title="Your standard error" text={feedback?.error} />
    </div>
  );
}

function Block({
  title,
  text = '',
}: {
  readonly title: string;
  readonly text?: string | undefined;
}) {
  if (text === '') return null;
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}

function Groups({ of }: { readonly of: Submission['groups'] }) {
  const scored = of.filter(({ score }) => score !== undefined);
  if (scored.length === 0) return null;
  return (
    <ul class="groups" aria-label="Groups of tests">
      {scored.map(({ name, verdict, score, maxScore, skipped }) => (
        <li key={name}>
          <span>{name}</span>
          <span class="chip" data-verdict={skipped ? undefined : verdict}>
            {skipped ? 'not run' : verdict}
          </span>
          <strong>{`${points(score)}${maxScore === undefined ? '' : ` of ${points(maxScore)}`}`}</strong>
        </li>
      ))}
    </ul>
  );
}

function CompileOutput({ compileOutput, verdict }: Submission) {
  if (compileOutput === undefined) return null;
  return (
    <details class="compiler" open={verdict === 'CE'}>
      <summary>Compiler output</summary>
      <pre tabIndex={0}>{compileOutput}</pre>
    </details>
  );
}

function Earlier({ of }: { readonly of: Submission['earlier'] }) {
  if (of.length === 0) return null;
  const verdicts = of.map(({ verdict, score }) =>
    score === undefined ? verdict : `${points(score)} points`,
  );
  return <p class="muted earlier">{`Judged before: ${verdicts.join(', ')}`}</p>;
}

function Rejudge({ state, again }: Pick<Submission, 'state'> & { readonly again: () => void }) {
  const user = useStore(me);
  if (user?.admin !== true || state !== 'judged') return null;
  return (
    <p class="buttons">
      <button type="button" class="quiet" onClick={again}>
        Judge again
      </button>
    </p>
  );
}
