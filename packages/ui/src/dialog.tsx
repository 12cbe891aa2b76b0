/** Dialogs: a confirmation before an action with consequences, and the entry of an API key. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Store, useStore } from './store.ts';

export interface Question {
  readonly title: string;
  readonly text: string;
  /** The label of the button that confirms. */
  readonly action: string;
  /** Label of a field for the reason, when a reason is asked for. */
  readonly reason?: string;
}

interface Asked extends Question {
  readonly answer: (reason: string | undefined) => void;
}

const asked = new Store<Asked | undefined>(undefined);

/** Resolves with the reason ('' without a field), or with undefined when the person declined. */
export function confirmed(question: Question): Promise<string | undefined> {
  return new Promise((resolve) => {
    asked.set({
      ...question,
      answer(reason) {
        asked.set(undefined);
        resolve(reason);
      },
    });
  });
}

/** Shows the questions of `confirmed`; one on each page. */
export function Confirmation() {
  const question = useStore(asked);
  return question === undefined ? null : <Ask {...question} />;
}

function Ask({ title, text, action, reason, answer }: Asked) {
  const field = useRef<HTMLInputElement>(null);
  const decided = useRef(false);
  return (
    <Modal
      labelledBy="confirm-title"
      onClose={() => answer(decided.current ? (field.current?.value.trim() ?? '') : undefined)}
    >
      {(close) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            decided.current = true;
            close();
          }}
        >
          <h2 id="confirm-title">{title}</h2>
          <p class="muted">{text}</p>
          {reason === undefined ? null : (
            <label>
              {reason}
              <input type="text" maxLength={500} ref={field} />
            </label>
          )}
          <p class="buttons">
            <button type="submit">{action}</button>
            <button type="button" class="quiet" autoFocus onClick={close}>
              Leave it
            </button>
          </p>
        </form>
      )}
    </Modal>
  );
}

/** A modal dialog that is open for as long as it is shown. */
export function Modal({
  labelledBy,
  id,
  onClose,
  children,
}: {
  readonly labelledBy: string;
  readonly id?: string;
  readonly onClose: () => void;
  readonly children: (close: () => void) => ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (element !== null && !element.open) element.showModal();
  }, []);
  return (
    <dialog ref={dialog} id={id} aria-labelledby={labelledBy} onClose={onClose}>
      {children(() => dialog.current?.close())}
    </dialog>
  );
}
