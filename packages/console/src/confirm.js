/** Asks before something is done that others feel. */
import { byId, h } from './dom.js';

/**
 * @param question.reason label of a field for the reason, when there is one to give.
 * @returns the reason ('' without a field), or undefined when the person thought better of it.
 */
export function confirmed({ title, text, action, reason }) {
  const dialog = byId('confirm-dialog');
  const field = h('input', { type: 'text', maxlength: 500 });
  const form = h(
    'form',
    { method: 'dialog' },
    h('h2', { id: 'confirm-title' }, title),
    h('p', { class: 'muted' }, text),
    reason === undefined ? null : h('label', null, reason, field),
    h(
      'p',
      { class: 'buttons' },
      h('button', { type: 'submit', value: 'yes' }, action),
      h('button', { type: 'submit', value: 'no', class: 'quiet', autofocus: true }, 'Leave it'),
    ),
  );
  // Enter in the field means what was asked for: the first submit button is the default one.
  dialog.replaceChildren(form);
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => resolve(dialog.returnValue === 'yes' ? field.value.trim() : undefined),
      { once: true },
    );
  });
}
