/** Asks a person for an API key. */
import type { SkeinError } from '@skein/api/errors';
import { Modal, Store, Trouble, useStore } from '@skein/ui';
import { useRef } from 'preact/hooks';
import { session } from './node.ts';

interface Asked {
  readonly message: string;
  readonly entered: () => void;
}

const asked = new Store<Asked | undefined>(undefined);

/** Resolves when a key was entered. @param error why a key is needed. */
export function askForKey(error: SkeinError): Promise<void> {
  return new Promise((resolve) => {
    asked.set({ message: error.message, entered: resolve });
  });
}

/** Shows a refusal, and offers to enter another key where that may help. */
export function Refusal({ error }: { readonly error: unknown }) {
  return <Trouble error={error} onKey={(refusal) => void askForKey(refusal)} />;
}

export function KeyDialog() {
  const question = useStore(asked);
  return question === undefined ? null : <Ask {...question} />;
}

function Ask({ message, entered }: Asked) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <Modal id="key-dialog" labelledBy="key-title" onClose={() => asked.set(undefined)}>
      {(close) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const key = field.current?.value.trim() ?? '';
            close();
            session.enter(key);
            entered();
          }}
        >
          <h2 id="key-title">This node asks for a key</h2>
          <p class="muted">{message}</p>
          <label>
            API key
            <input ref={field} type="password" autoComplete="off" spellcheck={false} required />
          </label>
          <p class="muted">
            One with the scope <code>read</code> shows this page. It is kept in this tab only. Make
            one with <code>skein keys create</code>.
          </p>
          <button type="submit">Open</button>
        </form>
      )}
    </Modal>
  );
}
