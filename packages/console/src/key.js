/** Asks a person for an API key. */
import { byId } from './dom.js';
import { storeKey } from './feed.js';

/** Resolves when a key was entered. */
export async function askForKey(error) {
  byId('key-message').textContent = error.message;
  const dialog = byId('key-dialog');
  if (!dialog.open) dialog.showModal();
  await new Promise((resolve) => {
    byId('key-form').addEventListener(
      'submit',
      (event) => {
        event.preventDefault();
        dialog.close();
        storeKey(byId('key').value.trim());
        resolve();
      },
      { once: true },
    );
  });
}
