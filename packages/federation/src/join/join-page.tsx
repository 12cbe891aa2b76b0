/** Invitation → plan → file → training: one panel after the other, and nothing starts unasked. */
import { bytes, Facts, Progress, useStore } from '@skein/ui';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { seenText } from '../ledger/seen.ts';
import { type OwnState, openSession, type SessionState, type SiteSession } from './site-session.ts';

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
      <p class="muted">
        A CSV, JSON Lines or Parquet file, or arrays of NumPy (.npz). It is read here, and sent
        nowhere.
      </p>
      <p class="muted">
        This page does not know what other federations have spent on the same rows. Rows that take
        part more than once should join with the command, which keeps an account.
      </p>
      <input
        type="file"
        id="file"
        aria-label="File with rows"
        accept=".csv,.jsonl,.json,.parquet,.npz,text/csv"
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
  if (!training && end === undefined) return <Accept state={state} session={session} />;
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
          The message of this round has arrived. You may close this page: the round continues
          without it, and the same link takes part again.
        </p>
      ) : null}
      {end?.seen === undefined ? null : (
        <p class="muted">
          {'To check that an exported ledger is the one that this browser has signed: '}
          <code id="seen">{`skein ledger verify FILE --seen ${seenText(end.seen)}`}</code>
        </p>
      )}
      {state.own === undefined ? null : <Own own={state.own} />}
      {end === undefined ? (
        <button type="button" onClick={() => session.send({ type: 'stop' })}>
          Stop
        </button>
      ) : null}
    </section>
  );
}

const USUAL_PULL = 0.1;

function Accept({ state: { plan, rows }, session }: Step) {
  const [isOwn, setOwn] = useState(false);
  const { mostPull } = rows!;
  const [text, setText] = useState(String(Math.min(USUAL_PULL, mostPull ?? 0)));
  const pull = text.trim() === '' ? Number.NaN : Number(text);
  const isPull = mostPull !== undefined && pull >= 0 && pull <= mostPull;
  const does = mostPull === undefined ? ['Count', 'count'] : ['Train', 'train'];
  return (
    <section class="panel">
      {mostPull === undefined ? null : (
        <label class="choice">
          <input
            type="checkbox"
            id="own"
            checked={isOwn}
            onChange={({ currentTarget }) => setOwn(currentTarget.checked)}
          />
          Train a model of your own too
        </label>
      )}
      {isOwn ? (
        <div class="own">
          <p class="muted">
            It is trained in this page from your rows, and pulled to the global model: it may fit
            them better where sites differ. Nothing of it is sent.
          </p>
          <label class="choice">
            Pull to the global model, λ
            <input
              id="pull"
              inputmode="decimal"
              value={text}
              onInput={({ currentTarget }) => setText(currentTarget.value)}
            />
            <span class="muted">{`0 to ${mostPull}; 0: by your rows alone`}</span>
          </label>
          <Caution />
        </div>
      ) : null}
      <button
        type="button"
        class="primary"
        id="accept"
        disabled={isOwn && !isPull}
        onClick={() => session.send({ type: 'join', pull: isOwn ? pull : undefined })}
      >
        {plan!.accepted
          ? `${does[0]} again under the accepted plan`
          : `Accept the plan and ${does[1]}`}
      </button>
    </section>
  );
}

function Caution() {
  return (
    <p class="caution">
      A model of your own holds facts of your rows without noise: no budget of the federation
      protects it. Do not share it.
    </p>
  );
}

function Own({ own: { trained, problem, isDone } }: { readonly own: OwnState }) {
  const url = useMemo(
    () => (trained === undefined ? undefined : URL.createObjectURL(trained.file)),
    [trained],
  );
  useEffect(() => () => (url === undefined ? undefined : URL.revokeObjectURL(url)), [url]);
  const progress =
    trained === undefined
      ? isDone
        ? 'No model of your own was trained.'
        : 'Your own model is being trained …'
      : `Your own model was trained next to the global model of round ${trained.round}${isDone ? '' : ', and training continues'}.`;
  return (
    <div class="own" id="own-model" data-round={trained?.round} data-done={isDone}>
      <p>
        {`${progress} `}
        {url === undefined ? null : (
          <a id="download" href={url} download="own.onnx">
            Download own.onnx
          </a>
        )}
      </p>
      {problem === '' ? null : <p class="muted">{problem}</p>}
      {url === undefined ? null : (
        <p class="muted">
          When the federation has ended, this browser keeps no copy: download it before you close
          the page.
        </p>
      )}
      {url === undefined ? null : <Caution />}
    </div>
  );
}
