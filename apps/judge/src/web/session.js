/** Who is signed in, and the dialog to become somebody. */
import { forgetKey, get, Refused, storedKey, storeKey } from './api.js';
import { byId, h, replace } from './dom.js';

let user;

export function signedIn() {
  return user;
}

/** Looks up whose the stored key is. @param changed called whenever somebody signs in or out. */
export async function startSession(changed) {
  const form = byId('sign-in-form');
  const dialog = byId('sign-in');
  byId('sign-in-cancel').addEventListener('click', () => dialog.close());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void signIn(byId('key').value.trim(), byId('remember').checked).then((refusal) => {
      byId('sign-in-message').textContent = refusal ?? '';
      if (refusal !== undefined) return;
      form.reset();
      dialog.close();
      changed();
    });
  });
  if (storedKey() !== null) {
    try {
      user = await get('me');
    } catch (error) {
      if (error instanceof Refused && error.status === 401) forgetKey();
    }
  }
  show(changed);
}

/** @returns why not, or undefined. */
async function signIn(key, remember) {
  try {
    user = await get('me', key);
    storeKey(key, remember);
    return undefined;
  } catch (error) {
    return error.message;
  }
}

export function askForKey(message) {
  byId('sign-in-message').textContent =
    message ?? 'With the key that you were given: there are no passwords here.';
  byId('sign-in').showModal();
}

export function show(changed) {
  const account = byId('account');
  if (user === undefined) {
    replace(account, h('button', { class: 'quiet', onclick: () => askForKey() }, 'Sign in'));
    return;
  }
  const leave = () => {
    forgetKey();
    user = undefined;
    changed();
  };
  replace(
    account,
    h('span', { class: 'who' }, user.name, user.admin ? h('small', {}, ' admin') : null),
    h('button', { class: 'quiet', onclick: leave }, 'Sign out'),
  );
}
