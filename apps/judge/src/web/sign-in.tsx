/** The dialog in which a user signs in. */
import { SkeinError } from '@skein/api/errors';
import { Modal, Store, useStore } from '@skein/ui';
import { useRef, useState } from 'preact/hooks';
import { me, session, userOf } from './judge-api.ts';

const asked = new Store<string | undefined>(undefined);

/** @param message why a key is required. */
export function askForKey(
  message = 'With the key that you were given: there are no passwords here.',
): void {
  asked.set(message);
}

export function SignIn() {
  const message = useStore(asked);
  return message === undefined ? null : <Ask message={message} />;
}

function Ask({ message }: { readonly message: string }) {
  const [status, setStatus] = useState(message);
  const key = useRef<HTMLInputElement>(null);
  const remember = useRef<HTMLInputElement>(null);
  const signIn = async (close: () => void): Promise<void> => {
    const entered = key.current?.value.trim() ?? '';
    try {
      const user = await userOf(entered);
      // Only now: a wrong key must not replace one that this or another tab has stored.
      session.enter(entered, remember.current?.checked ?? false);
      me.set(user);
      close();
    } catch (error) {
      setStatus(error instanceof SkeinError ? error.message : 'The page has a fault; reload it.');
    }
  };
  return (
    <Modal id="sign-in" labelledBy="sign-in-title" onClose={() => asked.set(undefined)}>
      {(close) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void signIn(close);
          }}
        >
          <h2 id="sign-in-title">Sign in</h2>
          <p class="muted" role="status">
            {status}
          </p>
          <label>
            API key
            <input ref={key} type="password" autoComplete="off" spellcheck={false} required />
          </label>
          <label class="check">
            <input ref={remember} type="checkbox" />
            Remember it on this device
          </label>
          <p class="buttons">
            <button type="button" class="quiet" onClick={close}>
              Cancel
            </button>
            <button type="submit">Sign in</button>
          </p>
        </form>
      )}
    </Modal>
  );
}
