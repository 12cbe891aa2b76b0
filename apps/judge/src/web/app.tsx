/** The frame of every page: the header with the account, the banner, and the current page. */
import { currentRoute, useFresh, useStore, type Route } from '@skein/ui';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, me, session } from './judge-api.ts';
import { Titled } from './parts.tsx';
import { ProblemPage } from './pages/problem-page.tsx';
import { ProblemsPage } from './pages/problems-page.tsx';
import { askForKey, SignIn } from './sign-in.tsx';
import { dropDrafts } from './submission/drafts.ts';
import { StandingsPage } from './pages/standings-page.tsx';
import { SubmissionPage, SubmissionsPage } from './pages/submissions-page.tsx';

/** Interval at which the page checks whether the judge can judge. */
const BANNER_MS = 15_000;

const PAGES = [
  ['', 'Problems'],
  ['submissions', 'Submissions'],
  ['standings', 'Standings'],
] as const;

interface Found {
  /** Which link of the header is current. */
  readonly page: string;
  readonly content: ComponentChildren;
}

function pageOf({ name, parts, query }: Route): Found | undefined {
  const [id] = parts;
  if (name === '' && id === undefined) return { page: '', content: <ProblemsPage /> };
  if (name === 'problems' && id !== undefined && parts.length === 1) {
    return { page: '', content: <ProblemPage id={id} /> };
  }
  if (name === 'submissions' && id === undefined) {
    return { page: name, content: <SubmissionsPage problem={query['problem']} /> };
  }
  if (name === 'submissions' && id !== undefined && /^\d+$/.test(id)) {
    return { page: name, content: <SubmissionPage id={id} /> };
  }
  if (name === 'standings' && id === undefined) return { page: name, content: <StandingsPage /> };
  return undefined;
}

export function App() {
  const route = useStore(currentRoute());
  const user = useStore(me);
  const main = useRef<HTMLElement>(null);
  const address = JSON.stringify(route);
  const shown = useRef(address);
  const found = pageOf(route);
  useEffect(() => {
    if (shown.current === address) return;
    shown.current = address;
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [address]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header>
        <a class="brand" href="#/">
          <img src="/judge/logo.svg" alt="" width="26" height="26" />
          <span>Judge</span>
        </a>
        <nav aria-label="Pages">
          {PAGES.map(([name, title]) => (
            <a href={`#/${name}`} aria-current={found?.page === name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <Account />
      </header>
      <Banner />
      <main id="main" tabIndex={-1} ref={main} key={`${address} ${user?.name ?? ''}`}>
        {found?.content ?? (
          <Titled title="Not found">
            <p class="panel empty">There is no such page.</p>
          </Titled>
        )}
      </main>
      <SignIn />
    </>
  );
}

function Account() {
  const user = useStore(me);
  if (user === undefined) {
    return (
      <div class="account" id="account">
        <button type="button" class="quiet" onClick={() => askForKey()}>
          Sign in
        </button>
      </div>
    );
  }
  return (
    <div class="account" id="account">
      <span class="who">
        {user.name}
        {user.admin ? <small> admin</small> : null}
      </span>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          session.leave();
          dropDrafts();
          me.set(undefined);
        }}
      >
        Sign out
      </button>
    </div>
  );
}

/** Every page shows when the judge cannot judge. */
function Banner() {
  const { value } = useFresh({ everyMs: BANNER_MS }, () => get('getJudge'));
  const [reason, setReason] = useState('');
  useEffect(() => {
    if (value !== undefined) setReason(value.judges ? '' : (value.reason ?? ''));
  }, [value]);
  return (
    <p class="banner" id="banner" role="status" hidden={reason === ''}>
      {reason}
    </p>
  );
}
