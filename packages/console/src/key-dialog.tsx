/** Asks a person for an API key. */
import type { SkeinError } from '@skein/api/errors';
import { commands, Modal, Store, Trouble, useStore } from '@skein/ui';
import { useRef } from 'preact/hooks';
import { session } from './node.ts';

interface Question {
  readonly message: string;
  readonly number: number;
}

const asked = new Store<Question | undefined>(undefined);
let questions = 0;
/** All that wait for a key: the dialog may be closed, and be opened again for another call. */
const waiting = new Set<() => void>();

/** Resolves when a key was entered, for this call or another. @param error why a key is needed. */
export function askForKey(error: SkeinError): Promise<void> {
  asked.set({ message: error.message, number: (questions += 1) });
  return new Promise((resolve) => waiting.add(resolve));
}

/** Shows a refusal, and offers to enter another key where that may help. */
export function Refusal({ error }: { readonly error: unknown }) {
  return <Trouble error={error} onKey={(refusal) => void askForKey(refusal)} />;
}

export function KeyDialog() {
  const question = useStore(asked);
  return question === undefined ? null : <Ask key={question.number} question={question} />;
}

function Ask({ question }: { readonly question: Question }) {
  const field = useRef<HTMLInputElement>(null);
  // The next question may have been asked before the browser reports that this dialog is closed.
  const closed = (): void => {
    if (asked.value === question) asked.set(undefined);
  };
  return (
    <Modal id="key-dialog" labelledBy="key-title" onClose={closed}>
      {(close) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const key = field.current?.value.trim() ?? '';
            close();
            session.enter(key);
            for (const resume of waiting) resume();
            waiting.clear();
          }}
        >
          <h2 id="key-title">This node requires a key</h2>
          <p class="muted">{question.message}</p>
          <label>
            API key
            <input ref={field} type="password" autoComplete="off" spellcheck={false} required />
          </label>
          <p class="muted">
            One with the scope <code>read</code> shows this page, and with <code>jobs</code> its
            jobs. It is kept in this tab only. Make one with{' '}
            <code>{commands('skein keys create --scope read,jobs')}</code>.
          </p>
          <button type="submit">Open</button>
        </form>
      )}
    </Modal>
  );
}
