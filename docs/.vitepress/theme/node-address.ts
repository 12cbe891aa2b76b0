/** The node that the forms of the API reference call. Its key lives in this page's memory alone. */
import { defineComponent, h, onMounted, ref } from 'vue';

export const base = ref('http://127.0.0.1:4700');
export const key = ref('');
/** The address of this page, which a node has to allow. */
export const origin = ref('ORIGIN');

export const NodeAddress = defineComponent({
  name: 'NodeAddress',
  setup() {
    // Pages are written before they have an address.
    onMounted(() => (origin.value = location.origin));
    return () =>
      h('fieldset', { class: 'node-address' }, [
        h('legend', 'The node that “Try it” calls'),
        h('label', [
          'Address',
          h('input', {
            type: 'url',
            value: base.value,
            onInput: ({ target }: Event) =>
              (base.value = (target as HTMLInputElement).value.trim()),
          }),
        ]),
        h('label', [
          'Key, where the node asks for one',
          h('input', {
            type: 'password',
            autocomplete: 'off',
            value: key.value,
            onInput: ({ target }: Event) => (key.value = (target as HTMLInputElement).value.trim()),
          }),
        ]),
        h('p', [
          'The key is sent to this address alone, and gone when you leave the site. A node answers pages of other addresses only where its operator allows them: ',
          h('code', `npm start -- --allow-origin ${origin.value}`),
          '. After that, the examples about ',
          h('code', 'ocr'),
          ' work as they are.',
        ]),
      ]);
  },
});
