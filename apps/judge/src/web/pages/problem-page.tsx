/** One problem: its statement and samples, and the form for submissions. */
import { linkTo, useFresh, useStore } from '@skein/ui';
import { useEffect, useRef, useState } from 'preact/hooks';
import { memory, time } from '../format.ts';
import { get, me, type Problem, type Statement } from '../judge-api.ts';
import { Loading, Titled } from '../parts.tsx';
import { Work } from '../submission/hand-in.tsx';

/** A problem changes only with its package. */
const LOOK_AGAIN_MS = 3_600_000;

export function ProblemPage({ id }: { readonly id: string }) {
  const { value, error } = useFresh({ everyMs: LOOK_AGAIN_MS, identity: id }, () =>
    get('getProblem', id),
  );
  return (
    <Titled title={value?.name ?? 'Problem'}>
      <Loading value={value} error={error}>
        {(problem) => (
          <div class="columns">
            <article class="problem">
              <About problem={problem} />
              <Samples of={problem.samples} />
              <Attachments of={problem.attachments} />
            </article>
            <Work problem={problem} />
          </div>
        )}
      </Loading>
    </Titled>
  );
}

function preferred(statements: Problem['statements']): string | undefined {
  const known = statements.map(({ language }) => language);
  return navigator.languages
    .map((tag) => tag.split('-')[0] ?? '')
    .find((tag) => known.includes(tag));
}

function About({ problem }: { readonly problem: Problem }) {
  const { id, name, types, timeMs, memoryBytes, tests, statements } = problem;
  const user = useStore(me);
  const [language, setLanguage] = useState(() => preferred(statements));
  const { value, error } = useFresh({ everyMs: LOOK_AGAIN_MS, identity: `${id} ${language}` }, () =>
    get('getStatement', id, language),
  );
  const facts = [...types, time(timeMs), memory(memoryBytes), `${tests} tests`];
  return (
    <>
      <h1>{name}</h1>
      <p class="facts muted">
        {facts
          .filter((text) => text !== '')
          .map((text) => (
            <span class="fact">{text}</span>
          ))}
        {statements.length > 1 ? (
          <span class="fact">
            {statements.map((statement) => (
              <button type="button" class="link" onClick={() => setLanguage(statement.language)}>
                {statement.language}
              </button>
            ))}
          </span>
        ) : null}
        {user === undefined ? null : (
          <span class="fact">
            <a href={linkTo('submissions', [], { problem: id })}>
              {user.admin ? 'submissions' : 'your submissions'}
            </a>
          </span>
        )}
      </p>
      <Loading value={value} error={error}>
        {(statement) => <StatementText of={statement} />}
      </Loading>
    </>
  );
}

function StatementText({ of }: { readonly of: Statement }) {
  if (of.format === 'html') return <Markup html={of.html} />;
  if (of.format === 'tex') return <pre class="tex">{of.text}</pre>;
  return (
    <p>
      <a href={of.url} target="_blank" rel="noopener">
        The statement, as PDF
      </a>
    </p>
  );
}

interface TypedHtml {
  createPolicy(
    name: string,
    rules: { createHTML: (html: string) => string },
  ): { createHTML(html: string): string };
}

const policy = (globalThis as { trustedTypes?: TypedHtml }).trustedTypes?.createPolicy(
  'statement',
  { createHTML: (html) => html },
);

/** The only markup: a statement, which the judge has rendered without scripts. */
function Markup({ html }: { readonly html: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (place.current === null) return;
    place.current.innerHTML = policy === undefined ? html : policy.createHTML(html);
  }, [html]);
  return <div class="statement" ref={place} />;
}

function Samples({ of }: { readonly of: Problem['samples'] }) {
  return (
    <>
      {of.map((sample, index) => (
        <section class="sample" key={sample.name}>
          <h3>{`Sample ${index + 1}`}</h3>
          {'interaction' in sample ? (
            <Conversation text={sample.interaction} />
          ) : (
            <div class="pair">
              <Shown title="Input" text={sample.input} />
              <Shown title="Output" text={sample.output} />
            </div>
          )}
        </section>
      ))}
    </>
  );
}

function Shown({ title, text }: { readonly title: string; readonly text: string }) {
  const [isCopied, setIsCopied] = useState(false);
  return (
    <figure>
      <figcaption>
        {title}
        <button
          type="button"
          class="link"
          // Over plain HTTP from another machine, a page has no clipboard.
          hidden={!isSecureContext}
          onClick={() => void navigator.clipboard.writeText(text).then(() => setIsCopied(true))}
        >
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </figcaption>
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}

const SPEAKERS: Readonly<Record<string, string>> = { '<': 'judge', '>': 'you' };

function Conversation({ text }: { readonly text: string }) {
  if (text === '') return <p class="muted">The judge’s side of this sample is not shown.</p>;
  return (
    <ol class="conversation">
      {text
        .trimEnd()
        .split('\n')
        .map((line) => {
          const speaker = SPEAKERS[line[0] ?? ''];
          return (
            <li data-speaker={speaker ?? 'pass'}>
              {speaker === undefined ? 'next pass' : line.slice(1)}
            </li>
          );
        })}
    </ol>
  );
}

function Attachments({ of }: { readonly of: Problem['attachments'] }) {
  if (of.length === 0) return null;
  return (
    <section>
      <h3>Files</h3>
      <ul>
        {of.map(({ path, url }) => (
          <li key={path}>
            <a href={url} download>
              {path}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
