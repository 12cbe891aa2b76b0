/** Invitation → plan → file → training: one panel after the other, and nothing starts by itself. */
import { bytes, Facts, Progress, useStore } from '@skein/ui';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { seenText } from '../ledger/seen.ts';
import { openSession, type SessionState, type SiteSession } from './site-session.ts';

/** The invitation stands behind the `#` of the address, which browsers send to no server. */
function givenInvitation(): string {
  const given = location.hash.slice(1);
  if (given !== '') history.replaceState(null, '', location.pathname);
  return given;
}

export function JoinPage() {
  const session = useMemo(openSession, []);
  const given = useMemo(givenInvitation, []);
  const state = useStore(session.state);
  useEffect(() => {
    if (given !== '') session.send({ type: 'look', invitation: given });
  }, [given]);
  return (
    <>
      <header>
        <span class="brand">
          <span>Skein</span>
        </span>
        <span class="muted">Join a federation from this browser</span>
        {state.plan === undefined ? null : <Connection {...state} />}
      </header>
      <main class="join">
        {state.plan === undefined ? <Invite session={session} /> : <Plan state={state} />}
        {state.plan === undefined ? null : <Rows state={state} session={session} />}
        {state.rows === undefined ? null : <Training state={state} session={session} />}
        <p class="trouble" role="alert" hidden={state.error === undefined}>
          {state.error === undefined ? '' : `${state.error.message} ${state.error.fix}`}
        </p>
      </main>
    </>
  );
}

function Connection({ connected, training }: SessionState) {
  const shown = training ? (connected ? 'Connected' : 'Connecting') : 'Not connected';
  return (
    <span class="pill" role="status" data-state={connected ? 'live' : 'lost'}>
      {shown}
    </span>
  );
}

function Invite({ session }: { readonly session: SiteSession }) {
  const [text, setText] = useState('');
  return (
    <section class="panel">
      <h1>Your invitation</h1>
      <p>The operator of the federation gave you one line that begins with skein-join_.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          session.send({ type: 'look', invitation: text.trim() });
        }}
      >
        <input
          aria-label="Invitation"
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <button type="submit" disabled={text.trim() === ''}>
          Show the plan
        </button>
      </form>
    </section>
  );
}

function Plan({ state: { plan } }: { readonly state: SessionState }) {
  const { facts, leaves, stays, warnings } = plan!.words;
  return (
    <section class="panel" id="plan">
      <h1>The plan</h1>
      <Facts of={facts} />
      <div class="flows">
        <Sentences title="What leaves this browser" of={leaves} />
        <Sentences title="What stays here" of={stays} />
      </div>
      {warnings.length === 0 ? null : <Sentences title="Consider" of={warnings} tone="warn" />}
    </section>
  );
}

function Sentences({
  title,
  of,
  tone,
}: {
  readonly title: string;
  readonly of: readonly string[];
  readonly tone?: 'warn';
}) {
  return (
    <div class="sentences" data-tone={tone}>
      <h2>{title}</h2>
      <ul>
        {of.map((each) => (
          <li>{each}</li>
        ))}
      </ul>
    </div>
  );
}

interface Step {
  readonly state: SessionState;
  readonly session: SiteSession;
}

function Rows({ state: { rows, training, end }, session }: Step) {
  return (
    <section class="panel">
      <h1>Your rows</h1>
      <p class="muted">A CSV or JSON Lines file. It is read here, and sent nowhere.</p>
      <p class="muted">
        This page does not know what other federations have spent on the same rows. Rows that take
        part more than once should join with the command, which keeps an account.
      </p>
      <input
        type="file"
        id="file"
        aria-label="File with rows"
        accept=".csv,.jsonl,.json,text/csv"
        disabled={training || end !== undefined}
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          if (file !== undefined) session.send({ type: 'rows', file });
        }}
      />
      {rows === undefined ? null : (
        <p id="rows">
          {`${rows.count} rows fit the plan: ${rows.classes
            .map((each) => `${each.rows} of class ${each.name}`)
            .join(', ')}. `}
          {rows.unused.length === 0 ? '' : `Not used: ${rows.unused.join(', ')}. `}
          {rows.outside.join(' ')}
        </p>
      )}
    </section>
  );
}

function Training({ state, session }: Step) {
  const { plan, training, round, phase, stored, sentBytes, end, status } = state;
  const rounds = plan!.rounds;
  if (!training && end === undefined) {
    return (
      <section class="panel">
        <button
          type="button"
          class="primary"
          id="accept"
          onClick={() => session.send({ type: 'join' })}
        >
          {plan!.accepted ? 'Train again under the accepted plan' : 'Accept the plan and train'}
        </button>
      </section>
    );
  }
  return (
    <section class="panel" id="training" data-end={end?.status}>
      <h1>{end === undefined ? 'Training' : `The federation has ${end.status}`}</h1>
      <Progress fraction={Math.min(round / rounds, 1)} label="Rounds" />
      <p>
        {`Round ${Math.min(round, rounds)} of ${rounds}`}
        {end === undefined && phase !== '' ? `, phase “${phase}”` : ''}
        {`. ${bytes(sentBytes)} sent.${end === undefined ? ` ${status}` : ` ${end.reason}`}`}
      </p>
      {plan!.mayLeave && stored && end === undefined ? (
        <p id="stored">
          The message of this round has arrived. You may close this page: the round goes on without
          it, and the same link takes part again.
        </p>
      ) : null}
      {end?.seen === undefined ? null : (
        <p class="muted">
          {'To check that an exported ledger is the one that this browser has signed: '}
          <code id="seen">{`skein ledger verify FILE --seen ${seenText(end.seen)}`}</code>
        </p>
      )}
      {end === undefined ? (
        <button type="button" onClick={() => session.send({ type: 'stop' })}>
          Stop
        </button>
      ) : null}
    </section>
  );
}
