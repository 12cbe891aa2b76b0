/** The theme of VitePress in the colours of Skein, with the fonts of the reader's system. */
import type { Theme } from 'vitepress';
import theme from 'vitepress/theme-without-fonts';
import { defineAsyncComponent } from 'vue';
import { NodeAddress } from './node-address.ts';
import './colours.css';
import './landing.css';

const skein: Theme = {
  extends: theme,
  enhanceApp: ({ app }) => {
    app.component('NodeAddress', NodeAddress);
    // Only the API reference loads it.
    app.component(
      'TryCall',
      defineAsyncComponent(() => import('./try-call.ts')),
    );
  },
};

export default skein;
